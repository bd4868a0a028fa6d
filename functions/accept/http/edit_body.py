"""What all bodies have in common, and how an image is to be edited: the prompt and its options."""

import unicodedata
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StringConstraints,
    ValidationInfo,
    model_validator,
)

from functions.accept.http.model import HttpModel
from functions.accept.http.validators import allowed
from functions.accept.settings import AcceptSettings
from imagejobs.callbacks import Optionally
from imagejobs.catalogue import MAX_REFERENCES, find_model, unmet, untaken
from imagejobs.edit_options import Background, EditOptions, OutputFormat
from imagejobs.outbound.policy import MAX_URL_LENGTH

# OpenAI's own limit for the GPT image models.
MAX_PROMPT_CHARACTERS = 32_000
SOURCE_URL = allowed(lambda settings, url: (url, settings.source_policy))


def _without_control_characters(text: str) -> str:
    """Refuse control characters other than tab and line breaks (Unicode category Cc) and unpaired surrogates."""
    for character in text:
        if unicodedata.category(character) in ("Cc", "Cs") and character not in "\t\n\r":
            raise ValueError(f"control character U+{ord(character):04X} is not allowed: remove it")
    return text


class Body(HttpModel):
    """Base of the bodies. What is absent, empty or null in an optional field is all the same."""

    @model_validator(mode="before")
    @classmethod
    def _without_empty_strings(cls, given: Any) -> Any:
        """Take an empty string in an optional field for absent: agents fill in every field that a tool has."""
        if not isinstance(given, dict):
            return given
        required = {name for name, field in cls.model_fields.items() if field.is_required()}
        return {name: value for name, value in given.items() if value != "" or name in required}


def whole(number: object) -> object:
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
    for refusal in untaken(model, EditOptions.model_validate(sent), mask=option == "mask", references=references):
        if refusal.option == option:
            raise ValueError(refusal.message)
    return value


# What is left out of the tools that agents see: a language model fills in what it is offered, and cannot judge models,
# hold a mask, or upload a folder. What a batch may cost it can be told by the user, after a dry run.
NOT_FOR_AGENTS = {
    "folder",
    *("model", "quality", "output_compression", "search"),
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


class EditRequest(Body):
    """A prompt, and what a caller may choose besides."""

    # The model comes first: what it takes is what the fields after it may be.
    prompt: Prompt
    model: Annotated[
        Optionally[str],
        Field(max_length=100, description="The model that edits the image, of those that GET /models lists."),
        AfterValidator(_allowed_model),
    ] = None
    quality: Annotated[
        Optionally[str],
        Field(max_length=20, description="One of the qualities that the model offers: low, medium, high …"),
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
        BeforeValidator(whole),
        _TAKEN,
    ] = None
    background: Annotated[
        Optionally[Background], Field(description="The result's background: transparent, opaque or auto."), _TAKEN
    ] = None
    search: Annotated[
        Optionally[str],
        Field(max_length=1000, description="The thing in the image to change, such as 'the red car'."),
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
        Optionally[list[Annotated[str, Field(max_length=MAX_URL_LENGTH), SOURCE_URL]]],
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
    def _has_what_its_model_needs(self, info: ValidationInfo) -> Self:
        settings: AcceptSettings | None = info.context
        if settings is None:
            return self
        model, options = find_model(self.model or settings.openai_image_model), self.options or EditOptions()
        references = [*(self.reference_keys or ()), *(self.reference_urls or ())]
        has_mask = bool(self.mask_base64 or self.mask_key)
        for refusal in unmet(model, options, mask=has_mask, references=len(references)):
            raise ValueError(refusal.message)
        return self

    @model_validator(mode="after")
    def _has_one_mask(self) -> Self:
        if self.mask_base64 is not None and self.mask_key is not None:
            raise ValueError("expected at most one of mask_base64 and mask_key; got both")
        return self
