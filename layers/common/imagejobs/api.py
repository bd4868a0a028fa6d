"""The bodies of the HTTP API, in and out. The OpenAPI documents are made from these models."""

import re
import unicodedata
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from imagejobs.callbacks import BatchCallback, Optionally, UrlCallback, without_null_defaults
from imagejobs.workflow import Operation

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

JOB_ID_PATTERN = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
IDEMPOTENCY_KEY_PATTERN = r"^[\x21-\x7e]{1,255}$"
# Empty is as good as absent.
_PREFIX_PATTERN = r"^([^/\x00-\x1f][^\x00-\x1f]*)?$"
_OUTPUT_PREFIX_PATTERN = r"^([A-Za-z0-9_-][A-Za-z0-9._-]{0,63})?$"
CORRELATION_ID_PATTERN = r"^[A-Za-z0-9._:/+=-]{1,128}$"


def _without_control_characters(text: str) -> str:
    """Refuse control characters other than tab and line breaks (Unicode category Cc) and unpaired surrogates."""
    for character in text:
        if unicodedata.category(character) in ("Cc", "Cs") and character not in "\t\n\r":
            raise ValueError(f"control character U+{ord(character):04X} is not allowed: remove it")
    return text


type Prompt = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_PROMPT_CHARACTERS),
    AfterValidator(_without_control_characters),
    Field(description="What to do with the image, in plain words. Example: 'replace the sky by a sunset'."),
]


def _worded(pattern: str, expected: str) -> AfterValidator:
    """Refuse text that does not match, in words rather than by the pattern; nothing, as agents send it, is absent."""

    def check(text: str | None) -> str | None:
        if text and not re.fullmatch(pattern, text):
            raise ValueError(expected)
        return text or None

    return AfterValidator(check)


class _Body(BaseModel):
    # Unknown fields are passed over, as the service that this one replaces did.
    model_config = ConfigDict(
        extra="ignore", frozen=True, hide_input_in_errors=True, json_schema_extra=without_null_defaults
    )


class ImageRequest(_Body):
    """One image to edit: a prompt and exactly one of `image_base64`, `image_key` and `image_url`."""

    prompt: Prompt
    filename: Annotated[
        Optionally[str],
        Field(max_length=255, description="The image's file name; it comes back in the callback and names the result."),
    ] = None
    image_base64: Annotated[
        Optionally[str], Field(min_length=1, description="The image as strict base64, without a data: prefix.")
    ] = None
    image_key: Annotated[
        Optionally[str],
        Field(min_length=1, max_length=512, description="The image_key of an earlier POST /uploads, for large images."),
    ] = None
    image_url: Annotated[
        Optionally[str],
        Field(min_length=1, max_length=2048, description="An https URL from which the service fetches the image."),
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
        Field(
            max_length=512,
            json_schema_extra={"pattern": _PREFIX_PATTERN},
            description="Edit only the images below this folder of the configured input prefix.",
        ),
        _worded(
            _PREFIX_PATTERN, "expected a folder below the configured one: no slash at its start, no control characters"
        ),
    ] = None
    max_files: Annotated[
        Optionally[int],
        Field(strict=True, ge=1, le=1_000_000, description="Edit at most this many images, in key order."),
    ] = None
    output_prefix: Annotated[
        Optionally[str],
        Field(
            json_schema_extra={"pattern": _OUTPUT_PREFIX_PATTERN},
            description="One path segment put between the configured output prefix and the job's id.",
        ),
        _worded(
            _OUTPUT_PREFIX_PATTERN,
            "expected 1 to 64 letters, digits, dots, dashes or underscores, not beginning with a dot",
        ),
    ] = None


class Accepted(_Body):
    """The job is recorded; its result will be posted to the callbackUrl."""

    accepted: Literal[True] = True
    job_id: Annotated[str, Field(description="The job's id, which the callback bears too.")]


class UploadRequest(_Body):
    """An image that is about to be uploaded; `size` in bytes, exactly."""

    filename: Annotated[str, Field(min_length=1, max_length=255)]
    content_type: Literal[UPLOAD_TYPES]  # type: ignore[valid-type]
    size: Annotated[int, Field(strict=True, ge=1, le=MAX_UPLOAD_BYTES)]


class Upload(_Body):
    """Where to POST the image as multipart/form-data: every one of `fields` first, then the file as field `file`."""

    image_key: str
    url: str
    fields: dict[str, str]
    expires_in: Annotated[int, Field(description="Seconds until the form expires.")]


class Health(_Body):
    """The service's state and the settings that a caller may want to know."""

    ok: bool
    mode: str
    callback_rewrite_enabled: bool
    max_concurrent_jobs: int
    callback_retries: int
    fallback_single_enabled: bool
    workshop_token_enabled: bool


class CosConfig(_Body):
    """Where images come from and go to; never a credential."""

    endpoint: str
    region: str
    input_bucket: str
    output_bucket: str
    input_prefix: str
    output_prefix: str
    presign_expires: int


class Progress(_Body):
    """How many images of a batch stand where."""

    total: int
    succeeded: int
    failed: int
    running: int
    pending: int


class DeliveryState(_Body):
    """How the delivery of the callback stands."""

    status: Literal["pending", "delivered", "dead_lettered"]
    attempts: int
    last_error: Optionally[str] = None


class Base64Result(_Body):
    """The result of a base64 job, with a presigned URL in place of the bytes; `expires_in` in seconds."""

    status: Literal["completed", "failed"]
    job_id: str
    filename: Optionally[str] = None
    result_url: Optionally[str] = None
    expires_in: Optionally[int] = None
    result_mime_type: Optionally[str] = None
    error: Optionally[str] = None


class BatchResult(BatchCallback):
    """The result of a batch, with a presigned URL of its per-image report (JSONL)."""

    _free: ClassVar[frozenset[str]] = frozenset({"report_url", "expires_in"})

    report_url: Optionally[str] = None
    expires_in: Optionally[int] = None


type JobState = Literal["queued", "running", "completed", "completed_with_errors", "failed", "cancelled"]


class Job(_Body):
    """A job as it stands now."""

    job_id: str
    operation: Operation
    status: JobState
    created_at: AwareDatetime
    finished_at: Optionally[AwareDatetime] = None
    progress: Optionally[Progress] = None
    result: Optionally[Base64Result | UrlCallback | BatchResult] = None
    delivery: DeliveryState
    error: Optionally[str] = None


class JobAction(_Body):
    """What was asked of a job is under way."""

    accepted: Literal[True] = True
    job_id: str


class Problem(_Body):
    """Why a request was refused, and what to do about it."""

    detail: str


class InvalidField(_Body):
    """One invalid part of a request: where it is, what is wrong with it and pydantic's name for that."""

    loc: list[str | int]
    msg: str
    type: str


class ValidationProblem(_Body):
    """Why a body, header or path was refused: every invalid part."""

    detail: list[InvalidField]
