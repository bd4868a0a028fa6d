"""The bodies that announce uploads: of one image, or of the files of a folder."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, ValidationInfo, model_validator

from functions.accept.http.bodies import CONTROL, FOLDER, NAME
from functions.accept.http.edit_body import Body, whole
from functions.accept.http.validators import Fits
from functions.accept.settings import AcceptSettings
from imagejobs.callbacks import Optionally

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


class UploadRequest(Body):
    """An image that is about to be uploaded; `size` in bytes, exactly."""

    filename: Annotated[str, Field(min_length=1, max_length=255), NAME]
    content_type: Literal[UPLOAD_TYPES]  # type: ignore[valid-type]
    size: Annotated[int, Field(strict=True, ge=1, le=MAX_UPLOAD_BYTES), BeforeValidator(whole)]


def _short(name: str) -> str:
    """Refuse a name that leaves no room in a key of 1,024 bytes (S3 user guide, "Naming Amazon S3 objects")."""
    if len(name.encode()) > _MAX_NAME_BYTES:
        raise ValueError(f"the name has more than {_MAX_NAME_BYTES} bytes in UTF-8: shorten it")
    return name


def _literal(name: str, info: ValidationInfo) -> str:
    """Refuse a name in which a form of S3 would put another one (S3 API reference, "POST Object", `key`).

    IBM COS takes files by PUT, which replaces nothing.
    """
    settings: AcceptSettings | None = info.context
    if "${" in name and not (settings and settings.cos_endpoint):
        raise ValueError("expected a name without ${: the upload would put another name in its place")
    return name


class FolderFile(Body):
    """One image of a folder of uploads; `size` in bytes, exactly."""

    filename: Annotated[
        str,
        Field(max_length=255, description="Its name, perhaps below folders of its own: sub/cat.png."),
        Fits(
            rf"^(?!\.{{1,2}}(/|$))[^/{CONTROL}]+(/(?!\.{{1,2}}(/|$))[^/{CONTROL}]+)*$",
            "expected a file's name, perhaps below folders (sub/cat.png): no slash at its start or end, no empty, . or "
            ".. folder, no control characters",
        ),
        AfterValidator(_short),
        AfterValidator(_literal),
    ]
    size: Annotated[int, Field(strict=True, ge=1, le=MAX_UPLOAD_BYTES), BeforeValidator(whole)]


class FolderRequest(Body):
    """Images that are about to be uploaded for a batch, into a new folder or into one of an earlier answer."""

    files: Annotated[list[FolderFile], Field(min_length=1, max_length=MAX_FILES)]
    folder: Annotated[Optionally[str], FOLDER] = None

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [file.filename for file in self.files]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"expected files of different names; {len(twice)} names are used more than once")
        return self


# Which of the two POST /uploads was sent; pydantic puts it into a `loc`, where callers do not see it.
_ONE, _MANY = "<file>", "<files>"
UNION_TAGS = {_ONE, _MANY}


def _kind_of_upload(body: object) -> str:
    # Null and empty are absent, as everywhere: agents fill in every field that there is.
    return _MANY if isinstance(body, dict) and body.get("files") not in (None, "") else _ONE


# As plain alias, so that the route table sees the two models.
AnyUpload = Annotated[
    Annotated[UploadRequest, Tag(_ONE)] | Annotated[FolderRequest, Tag(_MANY)], Discriminator(_kind_of_upload)
]
