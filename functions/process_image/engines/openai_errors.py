"""What each failure of OpenAI leads to: the one table."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import Enum
from math import isfinite
from time import time

import openai

from functions.process_image.engines.answers import told


class Verdict(Enum):
    """What is done about a failed call."""

    FALLBACK = "the local fallback edits the image"
    WAIT = "the image waits for its turn, not before Retry-After, then asks again"
    RETRY = "the state machine tries again by its own back-off"
    ASK_ONCE_MORE = "the state machine asks once more: such an answer may have cost"
    REPORT = "the job or image fails with OpenAI's message"


@dataclass(frozen=True)
class _Row:
    """An SDK error class, narrowed to errors that have one of `marks`: their code, type or HTTP status."""

    error: type[openai.OpenAIError]
    verdict: Verdict
    marks: frozenset[str] | None = None


# The first row that fits decides. Before all of them come the codes of the billing hard limit, which are configuration.
_TABLE = [
    # No money, no matter how long one waits. The type stands for every code beside those of the billing limit
    # (credit_balance_exhausted, organization_usage_limit_exceeded …).
    _Row(openai.RateLimitError, Verdict.REPORT, frozenset({"insufficient_quota", "billing_not_active"})),
    _Row(openai.RateLimitError, Verdict.WAIT),
    _Row(openai.APITimeoutError, Verdict.RETRY),
    _Row(openai.APIConnectionError, Verdict.RETRY),
    _Row(openai.InternalServerError, Verdict.RETRY),
    _Row(openai.ConflictError, Verdict.RETRY),
    _Row(openai.APIStatusError, Verdict.RETRY, frozenset({"408"})),
    _Row(openai.APIResponseValidationError, Verdict.ASK_ONCE_MORE),
    _Row(openai.BadRequestError, Verdict.REPORT),
    _Row(openai.AuthenticationError, Verdict.REPORT),
    _Row(openai.PermissionDeniedError, Verdict.REPORT),
    _Row(openai.NotFoundError, Verdict.REPORT),
    _Row(openai.UnprocessableEntityError, Verdict.REPORT),
    _Row(openai.OpenAIError, Verdict.REPORT),
]
_BILLING_LIMIT_MESSAGE = "billing hard limit has been reached"
# What tells of the account: an organisation, a project, the key as OpenAI masks it. And what is said in its place.
_ACCOUNT = [
    (re.compile(r"\bsk-[\w*.-]*[\w*]"), "(the key)"),
    (re.compile(r"\b(?:in |for )?(?:organi[sz]ation |project )?(?:org|proj)[-_]\w+", re.IGNORECASE), "(the account)"),
]


def verdict_on(error: openai.OpenAIError, billing_limit_codes: Collection[str]) -> Verdict:
    """Look an error of the SDK up in the table."""
    if _is_billing_limit(error, billing_limit_codes):
        return Verdict.FALLBACK
    marks = _marks(error)
    return next(
        row.verdict for row in _TABLE if isinstance(error, row.error) and (row.marks is None or row.marks & marks)
    )


def retry_after(error: openai.OpenAIError) -> float:
    """Read how many seconds OpenAI asks to wait (RFC 9110, 10.2.3); 0 when it does not say, or not in a valid form."""
    if not isinstance(error, openai.APIStatusError):
        return 0.0
    headers = error.response.headers
    try:
        if milliseconds := headers.get("retry-after-ms"):  # OpenAI's own, finer than the standard one
            seconds = float(milliseconds) / 1000
        else:
            value = headers.get("retry-after", "")
            seconds = float(value) if value[:1].isdigit() else parsedate_to_datetime(value).timestamp() - time()
    except (ValueError, OverflowError):
        return 0.0
    return max(0.0, seconds) if isfinite(seconds) else 0.0


def error_message(error: openai.OpenAIError, prompt: str) -> str:
    """Name an error of the SDK and repeat its message, as `told` does."""
    return told(type(error).__name__, str(error), prompt, _ACCOUNT)


def _marks(error: openai.OpenAIError) -> frozenset[str]:
    status = str(error.status_code) if isinstance(error, openai.APIStatusError) else None
    code, kind = (error.code, error.type) if isinstance(error, openai.APIError) else (None, None)
    return frozenset(mark for mark in (code, kind, status) if mark)


def _is_billing_limit(error: openai.OpenAIError, codes: Collection[str]) -> bool:
    if not isinstance(error, openai.APIStatusError) or error.status_code >= 500:
        return False
    return error.code in codes or (
        isinstance(error, openai.BadRequestError) and _BILLING_LIMIT_MESSAGE in error.message.lower()
    )
