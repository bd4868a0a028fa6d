"""The bodies that callers send."""

import unicodedata
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    model_validator,
)

from functions.accept.http.validators import Fits, allowed
from imagejobs.callbacks import Optionally, without_null_defaults
from imagejobs.executions import JOB_ID_PATTERN
from imagejobs.outbound.policy import MAX_URL_LENGTH

# OpenAI's own limit for the GPT image models.
MAX_PROMPT_CHARACTERS = 32_000
# OpenAI takes images under 50 MB; the same holds for what it is sent after an upload.
MAX_UPLOAD_BYTES = 50 * 1000 * 1000
# Forms that one call gives.
MAX_FILES = 100
_MAX_NAME_BYTES = 800
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
_NAME = Fits(rf"^[^{_CONTROL}]*$", "expected a name without control characters")


def _without_control_characters(text: str) -> str:
    """Refuse control characters other than tab and line breaks (Unicode category Cc) and unpaired surrogates."""
    for character in text:
        if unicodedata.category(character) in ("Cc", "Cs") and character not in "\t\n\r":
            raise ValueError(f"control character U+{ord(character):04X} is not allowed: remove it")
    return text


_FOLDER = Fits(JOB_ID_PATTERN, "expected the folder that POST /uploads answered")


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


class ImageRequest(_Body):
    """One image to edit: a prompt and exactly one of `image_base64`, `image_key` and `image_url`."""

    prompt: Prompt
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
        allowed(lambda settings, url: (url, settings.source_policy)),
    ] = None

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        sources = [name for name in ("image_base64", "image_key", "image_url") if getattr(self, name) is not None]
        if len(sources) != 1:
            found = f"got {' and '.join(sources)}" if sources else "got none of them"
            raise ValueError(f"expected exactly one of image_base64, image_key and image_url; {found}")
        return self


class BatchRequest(_Body):
    """A prompt for every image under the input bucket's prefix; the choices narrow what is read and where it goes."""

    prompt: Prompt
    prefix: Annotated[
        Optionally[str],
        Field(max_length=512, description="Edit only the images below this folder of the configured input prefix."),
        Fits(
            rf"^([^/{_CONTROL}][^{_CONTROL}]*)?$",
            "expected a folder below the configured one: no slash at its start, no control characters",
        ),
    ] = None
    folder: Annotated[
        Optionally[str],
        Field(description="Edit the images of this folder, which POST /uploads answered, in place of a prefix's."),
        _FOLDER,
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

    @model_validator(mode="after")
    def _has_one_place(self) -> Self:
        if self.prefix is not None and self.folder is not None:
            raise ValueError("expected prefix or folder, not both: a folder of uploads is read as a whole")
        return self


class UploadRequest(_Body):
    """An image that is about to be uploaded; `size` in bytes, exactly."""

    filename: Annotated[str, Field(min_length=1, max_length=255), _NAME]
    content_type: Literal[UPLOAD_TYPES]  # type: ignore[valid-type]
    size: Annotated[int, Field(strict=True, ge=1, le=MAX_UPLOAD_BYTES), BeforeValidator(_whole)]


def _short(name: str) -> str:
    """Refuse a name that leaves no room in a key of 1,024 bytes (S3 user guide, "Naming Amazon S3 objects")."""
    if len(name.encode()) > _MAX_NAME_BYTES:
        raise ValueError(f"the name has more than {_MAX_NAME_BYTES} bytes in UTF-8: shorten it")
    return name


class FolderFile(_Body):
    """One image of a folder of uploads; `size` in bytes, exactly."""

    filename: Annotated[
        str,
        Field(max_length=255, description="Its name, perhaps below folders of its own: sub/cat.png."),
        Fits(
            rf"^(?!\.{{1,2}}(/|$))[^/{_CONTROL}]+(/(?!\.{{1,2}}(/|$))[^/{_CONTROL}]+)*$",
            "expected a file's name, perhaps below folders (sub/cat.png): no slash at its start or end, no empty, . or "
            ".. folder, no control characters",
        ),
        AfterValidator(_short),
    ]
    size: Annotated[int, Field(strict=True, ge=1, le=MAX_UPLOAD_BYTES), BeforeValidator(_whole)]


class FolderRequest(_Body):
    """Images that are about to be uploaded for a batch, into a new folder or into one of an earlier answer."""

    files: Annotated[list[FolderFile], Field(min_length=1, max_length=MAX_FILES)]
    folder: Annotated[Optionally[str], _FOLDER] = None

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [file.filename for file in self.files]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"expected files of different names; {len(twice)} names come twice or more")
        return self


# Which of the two POST /uploads was sent; pydantic puts it into a `loc`, where callers do not see it.
_ONE, _MANY = "<file>", "<files>"
UNION_TAGS = {_ONE, _MANY}


def _kind_of_upload(body: object) -> str:
    return _MANY if isinstance(body, dict) and "files" in body else _ONE


# As plain alias, so that the route table sees the two models.
AnyUpload = Annotated[
    Annotated[UploadRequest, Tag(_ONE)] | Annotated[FolderRequest, Tag(_MANY)], Discriminator(_kind_of_upload)
]
