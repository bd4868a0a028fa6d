"""What callers send: headers, path and body of each kind of request. The OpenAPI documents are made from these models.

A request is read as one model, so that everything that is wrong with it is told at once. The settings are the
validation context: they say which URLs may be called.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    Json,
    StringConstraints,
    ValidationInfo,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from functions.accept.settings import AcceptSettings
from imagejobs.callbacks import Optionally, without_null_defaults
from imagejobs.executions import JOB_ID_PATTERN
from imagejobs.outbound.policy import MAX_URL_LENGTH, OutboundPolicy, UrlRefusedError, check_url

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
CORRELATION_ID = "x-correlation-id"
WORKSHOP_TOKEN = "x-workshop-token"  # noqa: S105 (a header's name)
CORRELATION_ID_PATTERN = r"^[A-Za-z0-9._:/+=-]{1,128}$"


@dataclass(frozen=True)
class _Fits:
    """Text that fits a pattern. Other text is refused with what was expected; empty text counts as absent."""

    pattern: str
    expected: str
    kind: str = "value_error"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), "pattern": self.pattern}

    def _check(self, text: str | None) -> str | None:
        if text and not re.fullmatch(self.pattern, text):
            raise PydanticCustomError(self.kind, self.expected)
        return text or None


def _allowed(policy: Callable[[AcceptSettings, str], tuple[str, OutboundPolicy]]) -> AfterValidator:
    """Refuse a URL that the policy forbids to call; host names are resolved later, by the function that calls it."""

    def check(url: str | None, info: ValidationInfo) -> str | None:
        if url is not None:
            settings: Any = info.context
            try:
                check_url(*policy(settings, url))
            except UrlRefusedError as error:
                raise ValueError(f"the URL {error}") from None
        return url

    return AfterValidator(check)


def _required_url(text: str) -> str:
    url = text.strip()
    if not url:
        raise PydanticCustomError("missing", "Field required: the URL that the result is to be posted to")
    return url


def _without_control_characters(text: str) -> str:
    """Refuse control characters other than tab and line breaks (Unicode category Cc) and unpaired surrogates."""
    for character in text:
        if unicodedata.category(character) in ("Cc", "Cs") and character not in "\t\n\r":
            raise ValueError(f"control character U+{ord(character):04X} is not allowed: remove it")
    return text


# ---------------------------------------------------------------- headers


class CallerHeaders(BaseModel):
    """The headers that every route takes."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True, json_schema_extra=without_null_defaults)

    correlation_id: Annotated[
        Optionally[str],
        _Fits(CORRELATION_ID_PATTERN, "expected 1 to 128 letters, digits or characters of . _ : / + = -"),
        Field(
            alias=CORRELATION_ID,
            description="An id of the caller's, which comes back in the answer and the callback.",
        ),
    ] = None

    @model_validator(mode="before")
    @classmethod
    def _by_names_of_any_case(cls, given: dict[str, str]) -> dict[str, str]:
        """Find each header whatever the case of its name (RFC 9110, 5.1); a required one that is absent is empty."""
        values = {name.lower(): value for name, value in given.items()}
        found = {field.alias: values.get(field.alias.lower()) for field in cls.model_fields.values() if field.alias}
        required = {field.alias for field in cls.model_fields.values() if field.is_required()}
        return {name: value or "" for name, value in found.items() if value is not None or name in required}


class TokenHeaders(CallerHeaders):
    """The headers of a route that is not open to everyone. `access` checks the token before anything else is read."""

    workshop_token: Annotated[
        Optionally[str],
        Field(alias=WORKSHOP_TOKEN, description="The shared token, where the service has one."),
    ] = None


class SubmissionHeaders(TokenHeaders):
    """The headers of a request that starts a job."""

    callback_url: Annotated[
        str,
        Field(
            alias="callbackUrl",
            description="Where the result is posted.",
            json_schema_extra={"minLength": 1, "maxLength": MAX_URL_LENGTH},
        ),
        AfterValidator(_required_url),
        _allowed(lambda settings, url: (settings.delivery_url(url), settings.callback_policy)),
    ]
    idempotency_key: Annotated[
        Optionally[str],
        _Fits(r"^[\x21-\x7e]{1,255}$", "expected 1 to 255 visible ASCII characters, no spaces"),
        Field(
            alias="Idempotency-Key",
            description="With the same key and body a repeated request gives the same job.",
        ),
    ] = None


# ---------------------------------------------------------------- bodies


class _Body(BaseModel):
    # Unknown fields are passed over, as the service that this one replaces did.
    model_config = ConfigDict(
        extra="ignore", frozen=True, hide_input_in_errors=True, json_schema_extra=without_null_defaults
    )


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
        Field(
            min_length=1,
            max_length=MAX_URL_LENGTH,
            description="An https URL from which the service fetches the image.",
        ),
        _allowed(lambda settings, url: (url, settings.source_policy)),
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
        _Fits(
            r"^([^/\x00-\x1f][^\x00-\x1f]*)?$",
            "expected a folder below the configured one: no slash at its start, no control characters",
        ),
    ] = None
    max_files: Annotated[
        Optionally[int],
        Field(strict=True, ge=1, le=1_000_000, description="Edit at most this many images, in key order."),
    ] = None
    output_prefix: Annotated[
        Optionally[str],
        Field(description="One path segment put between the configured output prefix and the job's id."),
        _Fits(
            r"^([A-Za-z0-9_-][A-Za-z0-9._-]{0,63})?$",
            "expected 1 to 64 letters, digits, dots, dashes or underscores, not beginning with a dot",
        ),
    ] = None


class UploadRequest(_Body):
    """An image that is about to be uploaded; `size` in bytes, exactly."""

    filename: Annotated[str, Field(min_length=1, max_length=255)]
    content_type: Literal[UPLOAD_TYPES]  # type: ignore[valid-type]
    size: Annotated[int, Field(strict=True, ge=1, le=MAX_UPLOAD_BYTES)]


# ---------------------------------------------------------------- whole requests


class JobPath(BaseModel):
    """The path of a route about one job."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    job_id: Annotated[
        str,
        StringConstraints(to_lower=True),
        _Fits(JOB_ID_PATTERN, "expected a UUID, as the 202 answer gave it", "uuid_parsing"),
    ]


class OpenRequest(BaseModel):
    """A request to a route that is open to everyone. Its fields are the parts of a request, where a `loc` begins."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    header: CallerHeaders


class Request(OpenRequest):
    """A request without a body to a route that asks for the token, as all further ones do."""

    header: TokenHeaders


class JobAddress(Request):
    """A request about one job."""

    path: JobPath


class UploadSubmission(Request):
    """A request for an upload form."""

    body: Json[UploadRequest]


class ImageSubmission(Request):
    """A request that starts the edit of one image."""

    header: SubmissionHeaders
    body: Json[ImageRequest]


class BatchSubmission(Request):
    """A request that starts a batch."""

    header: SubmissionHeaders
    body: Json[BatchRequest]
