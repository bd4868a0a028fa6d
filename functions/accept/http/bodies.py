"""The bodies that callers send."""

import unicodedata
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    model_validator,
)

from functions.accept.http.validators import Fits, allowed, within_the_owners_bound
from functions.accept.settings import AcceptSettings
from imagejobs.callbacks import Optionally, without_null_defaults
from imagejobs.catalogue import MAX_REFERENCES, find_model, refusals
from imagejobs.edit_options import Background, EditOptions, OutputFormat
from imagejobs.outbound.policy import MAX_URL_LENGTH

# OpenAI's own limit for the GPT image models.
MAX_PROMPT_CHARACTERS = 32_000
# OpenAI takes images under 50 MB; the same holds for what it is sent after an upload.
MAX_UPLOAD_BYTES = 50 * 1000 * 1000
UPLOAD_TYPES = (
    "image/png",
    "image/jpeg",
    "image/webp",
    "image/gif",
    "image/bmp",
    "image/tiff",
    "image/avif",
    "image/heic",
)


# Unicode's category Cc, for a pattern.
_CONTROL = r"\x00-\x1f\x7f-\x9f"
_SOURCE_URL = allowed(lambda settings, url: (url, settings.source_policy))
_NAME = Fits(rf"^[^{_CONTROL}]*$", "expected a name without control characters")


def _without_control_characters(text: str) -> str:
    """Refuse control characters other than tab and line breaks (Unicode category Cc) and unpaired surrogates."""
    for character in text:
        if unicodedata.category(character) in ("Cc", "Cs") and character not in "\t\n\r":
            raise ValueError(f"control character U+{ord(character):04X} is not allowed: remove it")
    return text


class _Body(BaseModel):
    # Unknown fields are passed over, as the service that this one replaces did.
    model_config = ConfigDict(
        extra="ignore", frozen=True, hide_input_in_errors=True, json_schema_extra=without_null_defaults
    )

    @model_validator(mode="before")
    @classmethod
    def _without_empty_strings(cls, given: Any) -> Any:
        """Take an empty string in an optional field for absent: agents fill in every field that a tool has."""
        if not isinstance(given, dict):
            return given
        required = {name for name, field in cls.model_fields.items() if field.is_required()}
        return {name: value for name, value in given.items() if value != "" or name in required}


def _whole(number: object) -> object:
    """Make 5.0 the integer that it is in JSON, which has one kind of number (RFC 8259, section 6)."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


type Prompt = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_PROMPT_CHARACTERS),
    AfterValidator(_without_control_characters),
    Field(description="What to do with the image, in plain words. Example: 'replace the sky by a sunset'."),
]


def _without_empty_items(given: object) -> object:
    """Take empty texts out of a list, and an empty list for absent, as an empty string is."""
    return [item for item in given if item not in ("", None)] or None if isinstance(given, list) else given


def _allowed_model(name: str | None, info: ValidationInfo) -> str | None:
    """Refuse a model that the stack's owner lets no caller choose."""
    settings: AcceptSettings | None = info.context
    if name is not None and settings is not None and name not in settings.models:
        raise ValueError(f"model: expected one of those that GET /models lists: {', '.join(settings.models)}")
    return name


def _taken[T](value: T, info: ValidationInfo) -> T:
    """Refuse what the model does not take, alone or beside the fields before this one."""
    settings: AcceptSettings | None = info.context
    # A model that was refused itself says nothing of its options.
    if value is None or settings is None or "model" not in info.data:
        return value
    sent: dict[str, Any] = info.data | {str(info.field_name): value}
    model = find_model(sent["model"] or settings.openai_image_model)
    option = _OPTION_OF.get(str(info.field_name), info.field_name)
    references = sum(len(sent.get(name) or ()) for name in ("reference_keys", "reference_urls"))
    for refusal in refusals(model, EditOptions.model_validate(sent), mask=option == "mask", references=references):
        if refusal.option == option:
            raise ValueError(refusal.message)
    return value


# What is left out of the tools that agents see: a language model fills in what it is offered, and cannot know what a
# model costs, or hold a mask or a key.
NOT_FOR_AGENTS = {
    *("model", "quality", "output_compression", "edit_mode"),
    *("mask_base64", "mask_key", "reference_keys", "reference_urls"),
}
# Fields that stand for an option of another name.
_OPTION_OF = {
    "mask_base64": "mask",
    "mask_key": "mask",
    "reference_keys": "references",
    "reference_urls": "references",
}
_TAKEN = AfterValidator(_taken)


class _EditRequest(_Body):
    # The model comes first: what it takes is what the fields after it may be.
    prompt: Prompt
    model: Annotated[
        Optionally[str],
        Field(max_length=100, description="The model that edits the image, of those that GET /models lists."),
        AfterValidator(_allowed_model),
    ] = None
    quality: Annotated[
        Optionally[str],
        Field(max_length=20, description="How much care is taken, of what the model offers: low, medium, high …"),
        _TAKEN,
    ] = None
    size: Annotated[
        Optionally[str],
        Field(max_length=20, description="The result's width and height in pixels, such as 1536x1024, or auto."),
        _TAKEN,
    ] = None
    output_format: Annotated[
        Optionally[OutputFormat], Field(description="The result's file format: png, jpeg or webp."), _TAKEN
    ] = None
    output_compression: Annotated[
        Optionally[int],
        Field(strict=True, ge=0, le=100, description="The quality of a JPEG or WebP result in percent."),
        BeforeValidator(_whole),
        _TAKEN,
    ] = None
    background: Annotated[
        Optionally[Background], Field(description="The result's background: transparent, opaque or auto."), _TAKEN
    ] = None
    edit_mode: Annotated[
        Optionally[str],
        Field(max_length=50, description="Which of its ways to edit a model takes, where it has several."),
        _TAKEN,
    ] = None
    mask_base64: Annotated[
        Optionally[str],
        Field(
            description="A mask as strict base64: a PNG under 4 MB, as wide and high as the image. Where it is "
            "transparent, the image is to change."
        ),
        _TAKEN,
    ] = None
    mask_key: Annotated[
        Optionally[str], Field(max_length=512, description="A mask's image_key of an earlier POST /uploads."), _TAKEN
    ] = None
    reference_keys: Annotated[
        Optionally[list[Annotated[str, Field(max_length=512)]]],
        Field(
            max_length=MAX_REFERENCES,
            description="Further pictures for the model to look at: each the image_key of an earlier POST /uploads.",
        ),
        BeforeValidator(_without_empty_items),
        _TAKEN,
    ] = None
    reference_urls: Annotated[
        Optionally[list[Annotated[str, Field(max_length=MAX_URL_LENGTH), _SOURCE_URL]]],
        Field(
            max_length=MAX_REFERENCES,
            description="Further pictures for the model to look at: https URLs from which the service fetches them.",
        ),
        BeforeValidator(_without_empty_items),
        _TAKEN,
    ] = None

    @property
    def options(self) -> EditOptions | None:
        """What the caller chose; None for nothing."""
        options = EditOptions.model_validate(self.model_dump(include=set(EditOptions.model_fields)))
        return options if options.chosen else None

    @model_validator(mode="after")
    def _has_one_mask(self) -> Self:
        if self.mask_base64 is not None and self.mask_key is not None:
            raise ValueError("expected at most one of mask_base64 and mask_key; got both")
        return self


class ImageRequest(_EditRequest):
    """One image to edit: a prompt and exactly one of `image_base64`, `image_key` and `image_url`."""

    filename: Annotated[
        Optionally[str],
        Field(max_length=255, description="The image's file name; it comes back in the callback and names the result."),
        _NAME,
    ] = None
    image_base64: Annotated[
        Optionally[str], Field(description="The image as strict base64, without a data: prefix.")
    ] = None
    image_key: Annotated[
        Optionally[str],
        Field(max_length=512, description="The image_key of an earlier POST /uploads, for large images."),
    ] = None
    image_url: Annotated[
        Optionally[str],
        Field(
            max_length=MAX_URL_LENGTH,
            description="An https URL from which the service fetches the image.",
        ),
        _SOURCE_URL,
    ] = None

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        sources = [name for name in ("image_base64", "image_key", "image_url") if getattr(self, name) is not None]
        if len(sources) != 1:
            found = f"got {' and '.join(sources)}" if sources else "got none of them"
            raise ValueError(f"expected exactly one of image_base64, image_key and image_url; {found}")
        return self


class BatchRequest(_EditRequest):
    """A prompt for every image under the input bucket's prefix; the choices narrow what is read and where it goes."""

    prefix: Annotated[
        Optionally[str],
        Field(max_length=512, description="Edit only the images below this folder of the configured input prefix."),
        Fits(
            rf"^([^/{_CONTROL}][^{_CONTROL}]*)?$",
            "expected a folder below the configured one: no slash at its start, no control characters",
        ),
    ] = None
    max_files: Annotated[
        Optionally[int],
        Field(strict=True, ge=1, le=1_000_000, description="Edit at most this many images, in key order."),
        BeforeValidator(_whole),
    ] = None
    output_prefix: Annotated[
        Optionally[str],
        Field(description="One path segment put between the configured output prefix and the job's id."),
        Fits(
            r"^([A-Za-z0-9_-][A-Za-z0-9._-]{0,63})?$",
            "expected 1 to 64 letters, digits, dots, dashes or underscores, not beginning with a dot",
        ),
    ] = None
    dry_run: Annotated[
        Optionally[bool],
        Field(
            strict=True,
            description="With true nothing is edited or paid: the callback's errors say how many images would be "
            "edited, and for about how much.",
        ),
    ] = None
    max_cost_usd: Annotated[
        Optionally[float],
        Field(
            strict=True,
            ge=0.01,
            allow_inf_nan=False,
            description="What the batch may cost in US dollars: when the estimate is above, the job fails before "
            "anything is paid.",
        ),
        AfterValidator(within_the_owners_bound),
    ] = None


class UploadRequest(_Body):
    """An image that is about to be uploaded; `size` in bytes, exactly."""

    filename: Annotated[str, Field(min_length=1, max_length=255), _NAME]
    content_type: Literal[UPLOAD_TYPES]  # type: ignore[valid-type]
    size: Annotated[int, Field(strict=True, ge=1, le=MAX_UPLOAD_BYTES), BeforeValidator(_whole)]
