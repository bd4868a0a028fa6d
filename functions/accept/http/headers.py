"""The headers that callers send."""

from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo, model_validator
from pydantic_core import PydanticCustomError

from functions.accept.http.model import HttpModel
from functions.accept.http.preferences import Preferences
from functions.accept.http.validators import Fits, allowed
from imagejobs.callbacks import Optionally
from imagejobs.outbound.policy import MAX_URL_LENGTH

CALLBACK_URL = "callbackUrl"
PROGRESS_URL = "progressUrl"
PREFER = "Prefer"
CORRELATION_ID = "x-correlation-id"
CORRELATION_ID_PATTERN = r"[A-Za-z0-9._:/+=-]{1,128}"
# On an answer: the caller's id that could not be used, where there was one.
REPLACED_CORRELATION_ID = "x-correlation-id-replaced"
WORKSHOP_TOKEN = "x-workshop-token"  # noqa: S105 (a header's name)


def _without_spaces(text: str | None) -> str | None:
    return (text or "").strip() or None


def _required_url(text: str | None, info: ValidationInfo) -> str | None:
    url = _without_spaces(text)
    if url is None and not Preferences.parse(info.data.get("prefer"), 0).without_receiver:
        raise PydanticCustomError(
            "missing",
            "Field required: the URL to which the result is posted. Without a receiver send Prefer: respond-async "
            "and read the job at the answer's Location",
        )
    return url


_MAY_BE_CALLED = allowed(lambda settings, url: (settings.delivery_url(url), settings.callback_policy))

# As plain aliases: to pydantic a `type` statement would be a definition of its own.
_OptionalUrl = Annotated[
    Optionally[str],
    Field(max_length=MAX_URL_LENGTH),
    AfterValidator(_without_spaces),
    _MAY_BE_CALLED,
]
IdempotencyKey = Annotated[
    Optionally[str],
    Fits(r"^[\x21-\x7e]{1,255}$", "expected 1 to 255 visible ASCII characters, no spaces"),
    Field(
        alias="Idempotency-Key",
        description="A name of your own for this job, such as a new UUID. The same request with the same key gives the "
        "same job, which is paid once: after a lost answer, repeat it so.",
    ),
]


class CallerHeaders(HttpModel):
    """The headers that every route takes."""

    correlation_id: Annotated[
        Optionally[str],
        Field(
            alias=CORRELATION_ID,
            description="An id of the caller's, which comes back in the answer and the callback: 1 to 128 letters, "
            f"digits or . _ : / + = -. Any other is replaced by a new one, and {REPLACED_CORRELATION_ID} repeats it.",
        ),
    ] = None

    @model_validator(mode="before")
    @classmethod
    def _by_names_of_any_case(cls, given: dict[str, str]) -> dict[str, str]:
        """Find each header whatever the case of its name (RFC 9110, 5.1); an empty one is as good as none."""
        values = {name.lower(): value for name, value in given.items()}
        found = {field.alias: values.get(field.alias.lower(), "") for field in cls.model_fields.values() if field.alias}
        # An error at a default would name the field, not the header.
        checked = {field.alias for field in cls.model_fields.values() if field.validate_default}
        return {name: value for name, value in found.items() if value != "" or name in checked}


class TokenHeaders(CallerHeaders):
    """The headers of a route that is not open to everyone. `call.require_token` checks it before anything is read."""

    workshop_token: Annotated[
        Optionally[str],
        Field(alias=WORKSHOP_TOKEN, description="The shared token, where the service has one."),
    ] = None


class WaitHeaders(TokenHeaders):
    """The headers of a request that may wait for its job."""

    prefer: Annotated[
        Optionally[str],
        Field(
            alias=PREFER,
            description="wait=N (RFC 7240) holds the answer for up to N seconds, at most 25, until there is news of "
            "the job.",
        ),
    ] = None

    def preferences(self, max_wait: int) -> Preferences:
        """What the caller prefers of the answer, with a wait of at most these seconds."""
        return Preferences.parse(self.prefer, max_wait)


class _StartHeaders(WaitHeaders):
    prefer: Annotated[
        Optionally[str],
        Field(
            alias=PREFER,
            description="respond-async or wait=N (RFC 7240): with either, callbackUrl may be left out, and the job is "
            "read at the answer's Location. wait=N holds the answer for up to N seconds, at most 25, until the job has "
            "ended.",
            examples=["respond-async"],
        ),
    ] = None
    progress_url: Annotated[
        _OptionalUrl,
        Field(
            alias=PROGRESS_URL,
            description="Where the job's progress is posted while it runs, at best effort; the callback comes as well.",
        ),
    ] = None


class RetryHeaders(_StartHeaders):
    """The headers of a request that starts a job in the place of an earlier one."""

    callback_url: Annotated[
        _OptionalUrl,
        Field(alias=CALLBACK_URL, description="Where the result is posted; by default where the earlier job's was."),
    ] = None
    idempotency_key: IdempotencyKey = None


class SubmissionHeaders(_StartHeaders):
    """The headers of a request that starts a job."""

    callback_url: Annotated[
        Optionally[str],
        Field(
            alias=CALLBACK_URL,
            validate_default=True,
            description="Where the result is posted.",
            json_schema_extra={"minLength": 1, "maxLength": MAX_URL_LENGTH},
        ),
        AfterValidator(_required_url),
        _MAY_BE_CALLED,
    ] = None
    idempotency_key: IdempotencyKey = None
