"""The models that edit images, a row each, and what each of them takes: plain data.

From here come the refusals of what a model does not take, `GET /models`, the table in docs/api.md, and the engine that
a task goes to. What no row names is a model of OpenAI's API, of OpenAI itself (a newer one than this table) or of
another server that speaks it: that server knows what it takes.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

from imagejobs.edit_options import Background, EditOptions, OutputFormat

type EngineName = Literal["openai", "bedrock", "gemini", "local_fallback"]

LOCAL: EngineName = "local_fallback"
# The stack's own model unless its owner names another: of OpenAI's newest the one that takes half the time of
# gpt-image-2.6-sunburst, at the price of gpt-image-2.5-flare.
DEFAULT_MODEL = "gpt-image-2.6-flare"
# How many reference pictures a request may have, whatever its model.
MAX_REFERENCES = 15
# Whose each engine is, as messages have it.
PROVIDERS: dict[str, str] = {
    "openai": "OpenAI",
    "bedrock": "Amazon Bedrock",
    "gemini": "Google Gemini",
    LOCAL: "the local engine",
}
_ALL_FORMATS: tuple[OutputFormat, ...] = get_args(OutputFormat.__value__)
_ALL_BACKGROUNDS: tuple[Background, ...] = get_args(Background.__value__)
# Of JPEG and WebP alone: PNG loses nothing.
_COMPRESSIBLE = ("jpeg", "webp")
_SIZE = re.compile(r"([1-9]\d{1,4})x([1-9]\d{1,4})")


@dataclass(frozen=True)
class Sizes:
    """Which sizes a model takes, beside "auto": any within these bounds, in pixels."""

    multiple_of: int = 1
    max_edge: int = 99_999
    min_pixels: int = 1
    max_pixels: int = 99_999**2
    # Of the longer edge to the shorter one.
    max_ratio: float = 99_999

    def take(self, width: int, height: int) -> bool:
        """Whether a size is within the bounds."""
        return (
            width % self.multiple_of == height % self.multiple_of == 0
            and max(width, height) <= self.max_edge
            and self.min_pixels <= width * height <= self.max_pixels
            and max(width, height) <= self.max_ratio * min(width, height)
        )

    def __str__(self) -> str:
        if self == Sizes():
            return '"auto" or width x height, such as 1024x1536'
        return (
            f'"auto" or width x height, such as 1024x1536: both multiples of {self.multiple_of} and up to '
            f"{self.max_edge:,}, {self.min_pixels:,} to {self.max_pixels:,} pixels in all, at most "
            f"{self.max_ratio:g} times as long as wide"
        )


@dataclass(frozen=True)
class Shapes:
    """Which sizes a model takes, beside "auto": any of these shapes ("width:height") within a number of pixels."""

    names: tuple[str, ...]
    max_pixels: int

    def name_of(self, width: int, height: int) -> str | None:
        """The name of a size's shape, if it has one of them."""
        shapes = {name: tuple(map(int, name.split(":"))) for name in self.names}
        return next((name for name, (wide, high) in shapes.items() if width * high == height * wide), None)

    def take(self, width: int, height: int) -> bool:
        """Whether a size has one of the shapes."""
        return self.name_of(width, height) is not None and width * height <= self.max_pixels

    def __str__(self) -> str:
        return (
            f'"auto" or width x height, such as 768x1024: up to {self.max_pixels:,} pixels in all, of the shapes '
            f"{', '.join(self.names)}"
        )


@dataclass(frozen=True)
class Model:
    """One model: its engine, and what it takes. An option that is empty here is not taken at all."""

    name: str
    engine: EngineName
    qualities: tuple[str, ...] = ()
    sizes: Sizes | Shapes | None = None
    output_formats: tuple[OutputFormat, ...] = ()
    backgrounds: tuple[Background, ...] = ()
    mask: bool = False
    max_references: int = 0
    # Whether `search` says what in the picture is meant.
    search: bool = False
    # What of its options is not optional.
    needs: tuple[Literal["mask", "references", "search", "size"], ...] = ()
    # In what an edit may come when no output_format is asked for.
    answers: tuple[OutputFormat, ...] = ("png",)

    @property
    def compressible(self) -> tuple[OutputFormat, ...]:
        """The output formats that output_compression goes with."""
        return tuple(one for one in self.output_formats if one in _COMPRESSIBLE)

    def media_types(self, options: EditOptions) -> tuple[str, ...]:
        """In what media types an edit with these options may come."""
        asked = options.output_format
        return tuple(f"image/{one}" for one in ([asked] if asked in self.output_formats else self.answers))


@dataclass(frozen=True)
class Refusal:
    """What a model does not take: the option by the name that callers know, and why, with what it takes instead."""

    option: str
    message: str


# `images.edit` in OpenAI's API reference (SDK 3.54, `ImageEditParams`), and the sizes that "Image generation" in its
# guides adds: 655,360 pixels are the fewest. Up to 16 pictures, of which the first is the one to edit.
_OPENAI_SIZES = Sizes(16, 3840, 655_360, 3840 * 2160, 3)


def _openai(*names: str, finer: bool = True) -> list[Model]:
    qualities = ("low", "medium", "high", *(("xhigh", "max") if finer else ()), "auto")
    return [
        Model(name, "openai", qualities, _OPENAI_SIZES, _ALL_FORMATS, _ALL_BACKGROUNDS, True, MAX_REFERENCES)
        for name in names
    ]


# "Stability AI Image Services" in the Amazon Bedrock User Guide; the names are AWS's own. Each service is a model: they
# differ in what they need, and twentyfold in what they cost.
def _stability(name: str, **takes: Any) -> Model:
    return Model(f"stability.{name}", "bedrock", output_formats=_ALL_FORMATS, **takes)


_STABILITY = (
    _stability("stable-image-control-structure-v1:0"),
    _stability("stable-image-control-sketch-v1:0"),
    _stability("stable-style-transfer-v1:0", max_references=1, needs=("references",)),
    _stability("stable-image-search-replace-v1:0", search=True, needs=("search",)),
    _stability("stable-image-search-recolor-v1:0", search=True, needs=("search",)),
    _stability("stable-image-inpaint-v1:0", mask=True, needs=("mask",)),
    _stability("stable-image-erase-object-v1:0", mask=True, needs=("mask",)),
    _stability("stable-outpaint-v1:0", sizes=Sizes(), needs=("size",)),
    _stability("stable-image-remove-background-v1:0"),
    _stability("stable-fast-upscale-v1:0"),
    _stability("stable-conservative-upscale-v1:0"),
    _stability("stable-creative-upscale-v1:0"),
)

# "Image generation" in the Gemini API's guides: 14 pictures, of which the first is the one to edit.
GEMINI_SHAPES = ("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9")
_GEMINI_REFERENCES = 13


def _gemini(name: str, edge: int) -> Model:
    sizes = Shapes(GEMINI_SHAPES, edge**2)
    return Model(name, "gemini", sizes=sizes, max_references=_GEMINI_REFERENCES, answers=_ALL_FORMATS)


# OpenAI ends gpt-image-1.5, gpt-image-1-mini and chatgpt-image-latest on 1 December 2026: they have no row.
MODELS: tuple[Model, ...] = (
    *_openai("gpt-image-2.6-flare", "gpt-image-2.6-sunburst"),
    *_openai("gpt-image-2.5-flare", "gpt-image-2.5-flare-2026-09-08"),
    *_openai("gpt-image-2.5-sunburst", "gpt-image-2.5-sunburst-2026-09-08"),
    *_openai("gpt-image-2", "gpt-image-2-2026-04-21", finer=False),
    *_STABILITY,
    _gemini("gemini-nano-banana-2.1", 4096),
    _gemini("gemini-3-pro-image", 4096),
    _gemini("gemini-3.1-flash-lite-image", 1024),
    # Inverted colours and a watermark, made here: it takes nothing, and costs nothing.
    Model("local", LOCAL),
)
_BY_NAME = {model.name: model for model in MODELS}


def is_known(name: str) -> bool:
    """Whether a model has a row."""
    return name in _BY_NAME


def find_model(name: str) -> Model:
    """The row of a model; of a name that no row has, one that takes all that OpenAI's API knows."""
    return _BY_NAME.get(name) or Model(
        name,
        "openai",
        ("low", "medium", "high", "xhigh", "max", "auto"),
        Sizes(),
        _ALL_FORMATS,
        _ALL_BACKGROUNDS,
        True,
        MAX_REFERENCES,
        answers=_ALL_FORMATS,
    )


def refusals(model: Model, options: EditOptions, *, mask: bool = False, references: int = 0) -> list[Refusal]:
    """Everything of a task that a model does not take, and everything that it needs and that is not there.

    The bounds that all models share are not looked at.
    """
    return [check for which in (untaken, unmet) for check in which(model, options, mask=mask, references=references)]


def unmet(model: Model, options: EditOptions, *, mask: bool = False, references: int = 0) -> list[Refusal]:
    """Everything that a model needs of a task and that is not there."""
    size = options.size if options.size != "auto" else None
    there = {"mask": mask, "references": references, "search": options.search, "size": size}
    return [Refusal(need, f"{need}: the model {model.name} needs it") for need in model.needs if not there[need]]


def untaken(model: Model, options: EditOptions, *, mask: bool = False, references: int = 0) -> list[Refusal]:
    """Everything of a task that a model does not take."""
    return list(_untaken(model, options, mask=mask, references=references))


def with_taken(options: dict[str, str | int], further: dict[str, str | int], model: Model) -> EditOptions:
    """Options, with as many further ones as a model takes beside them."""
    for name, value in further.items():
        more = {name: value} | options
        if not untaken(model, EditOptions.model_validate(more)):
            options = more
    return EditOptions.model_validate(options)


def _untaken(model: Model, options: EditOptions, *, mask: bool, references: int) -> Iterator[Refusal]:
    listed: dict[str, tuple[str, ...]] = {
        "quality": model.qualities,
        "output_format": model.output_formats,
        "background": model.backgrounds,
    }
    chosen = options.chosen
    for name, taken in listed.items():
        if name in chosen and chosen[name] not in taken:
            yield _refusal(model, name, " or ".join(taken))
    if options.size and not _takes_size(model, options.size):
        yield _refusal(model, "size", str(model.sizes or ""))
    if options.output_compression is not None and options.output_format not in model.compressible:
        formats = " or ".join(model.compressible)
        yield _refusal(model, "output_compression", formats and f"a percentage together with output_format {formats}")
    if options.background == "transparent" and options.output_format == "jpeg" and model.backgrounds:
        yield _refusal(model, "background", "transparent together with output_format png or webp alone")
    if options.search and not model.search:
        yield _refusal(model, "search", "")
    if mask and not model.mask:
        yield _refusal(model, "mask", "")
    if references > model.max_references:
        yield _refusal(model, "references", model.max_references and f"up to {model.max_references} of them")


def _takes_size(model: Model, size: str) -> bool:
    if not model.sizes:
        return False
    found = _SIZE.fullmatch(size)
    return size == "auto" or (found is not None and model.sizes.take(int(found[1]), int(found[2])))


def _refusal(model: Model, option: str, takes: str | int) -> Refusal:
    what = f"takes {takes}" if takes else f"takes no {option}: leave it out"
    return Refusal(option, f"{option}: the model {model.name} {what}")
