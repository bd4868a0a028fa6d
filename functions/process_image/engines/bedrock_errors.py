"""What each failure of Amazon Bedrock leads to: the one table.

No row is the billing limit, since AWS has none that stops Bedrock: AWS Budgets send e-mails, and a budget action that
takes a right away looks as any missing right does. So nothing stands in for Bedrock.
"""

import re

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - the SDK's own name
    HTTPClientError,
    IncompleteReadError,
)

from functions.process_image.engines.answers import told
from functions.process_image.engines.engine import RateLimitedError
from imagejobs.errors import EngineInvalidAnswerError, EngineRejectedError, EngineRetryableError

_RETRY, _REPORT, _WAIT = EngineRetryableError, EngineRejectedError, RateLimitedError
# May have cost, and is asked for once more only.
_ASK_ONCE_MORE = EngineInvalidAnswerError

# Every error of InvokeModel in the SDK's model of the service (a test holds it to that).
ERRORS: dict[str, type[Exception]] = {
    "AccessDeniedException": _REPORT,
    "ResourceNotFoundException": _REPORT,
    "ValidationException": _REPORT,
    "ThrottlingException": _WAIT,
    # An account's quota, of images a minute for example: "You can resubmit your request later."
    "ServiceQuotaExceededException": _WAIT,
    "InternalServerException": _RETRY,
    "ServiceUnavailableException": _RETRY,
    "ModelErrorException": _RETRY,
    "ModelNotReadyException": _RETRY,
    "ModelTimeoutException": _RETRY,
}
# Whatever else AWS answers before the service itself is asked (expired signatures, bodies that are too large …), by its
# status: the first row that fits.
STATUSES: list[tuple[range, type[Exception]]] = [
    (range(408, 409), _RETRY),
    (range(429, 430), _WAIT),
    (range(500, 600), _RETRY),
    (range(600), _REPORT),
]
# An answer 200 without an image, by its `finish_reasons` ("Stability AI Image Services" in the user guide).
REASONS: dict[str, type[Exception]] = {
    "Filter reason: prompt": _REPORT,
    "Filter reason: input image": _REPORT,
    "Filter reason: output image": _REPORT,
    "Inference error": _ASK_ONCE_MORE,
}
# The SDK's own errors: no connection, no answer in time, half an answer. All the others are faults of this program.
CONNECTION: tuple[type[BotoCoreError], ...] = (ConnectionError, HTTPClientError, IncompleteReadError)
# The role, the account, and what else an ARN tells.
_ACCOUNT = [(re.compile(r"\barn:aws[\w-]*:[\w:/.*+=,@-]*"), "(the account)"), (re.compile(r"\b\d{12}\b"), "(it)")]


def translated(error: BotoCoreError | ClientError, prompt: str) -> Exception:
    """The error that a failure of the SDK stands for."""
    if not isinstance(error, ClientError):
        message = told(type(error).__name__, str(error), prompt, _ACCOUNT)
        if not isinstance(error, CONNECTION):
            return _REPORT(message)
        failed = EngineRetryableError(message)
        # The others never connected.
        failed.may_have_cost = isinstance(error, (HTTPClientError, IncompleteReadError))
        return failed
    details, answer = error.response.get("Error", {}), error.response.get("ResponseMetadata", {})
    code = str(details.get("Code"))
    message = told(code, str(details.get("Message")), prompt, _ACCOUNT)
    kind = ERRORS.get(code) or _by_status(answer.get("HTTPStatusCode", 0))
    # Bedrock does not say how long.
    return RateLimitedError(message, 0) if kind is _WAIT else kind(message)


def refused(reason: str) -> Exception:
    """The error that a `finish_reasons` stands for."""
    return REASONS.get(reason, _REPORT)(f"{reason}: Amazon Bedrock made no image")


def _by_status(status: int) -> type[Exception]:
    return next(kind for statuses, kind in STATUSES if status in statuses)
