"""What each failure of the Gemini API leads to: the one table.

The statuses are google.rpc's ("Errors" in the generateContent API's guide), the reasons of an answer without an image
those of `FinishReason` and `BlockReason` in the API reference.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2

from functions.process_image.engines.answers import told
from functions.process_image.engines.engine import BillingLimitError, RateLimitedError
from imagejobs.errors import EngineInvalidAnswerError, EngineRejectedError, EngineRetryableError

_FALLBACK, _RETRY, _REPORT, _WAIT = BillingLimitError, EngineRetryableError, EngineRejectedError, RateLimitedError
# May have cost, and is asked for once more only.
_ASK_ONCE_MORE = EngineInvalidAnswerError


@dataclass(frozen=True)
class Row:
    """A status of google.rpc, narrowed to answers with this HTTP status, or with these words in lower case."""

    status: str
    error: type[Exception]
    http: int | None = None
    says: str = ""


# The first row that fits decides.
TABLE = [
    # The monthly limit of the project or of its billing account ("Billing" in the API's guides).
    Row("RESOURCE_EXHAUSTED", _FALLBACK, 429, "monthly spending cap"),
    # No money, however long one waits: no prepaid credit is left, or no billing is set up, without which the image
    # models give nothing.
    Row("RESOURCE_EXHAUSTED", _REPORT, 402),
    Row("RESOURCE_EXHAUSTED", _REPORT, 429, "free_tier"),
    Row("RESOURCE_EXHAUSTED", _WAIT),
    Row("INVALID_ARGUMENT", _REPORT),
    Row("FAILED_PRECONDITION", _REPORT),
    Row("OUT_OF_RANGE", _REPORT),
    Row("UNAUTHENTICATED", _REPORT),
    Row("PERMISSION_DENIED", _REPORT),
    Row("NOT_FOUND", _REPORT),
    Row("ALREADY_EXISTS", _REPORT),
    Row("UNIMPLEMENTED", _REPORT),
    Row("DATA_LOSS", _REPORT),
    Row("ABORTED", _RETRY),
    Row("CANCELLED", _RETRY),
    Row("UNKNOWN", _RETRY),
    Row("INTERNAL", _RETRY),
    Row("UNAVAILABLE", _RETRY),
    Row("DEADLINE_EXCEEDED", _RETRY),
]
# Answers without such a status, from whatever stands before the API, by their HTTP status: the first row that fits.
STATUSES: list[tuple[range, type[Exception]]] = [
    (range(408, 409), _RETRY),
    (range(429, 430), _WAIT),
    (range(500, 600), _RETRY),
    (range(600), _REPORT),
]
# An answer 200 without an image, by its `finishReason`. Whatever is not here may be another time's luck.
REFUSALS = frozenset(
    {
        "SAFETY",
        "RECITATION",
        "LANGUAGE",
        "BLOCKLIST",
        "PROHIBITED_CONTENT",
        "SPII",
        "IMAGE_SAFETY",
        "IMAGE_PROHIBITED_CONTENT",
        "IMAGE_RECITATION",
        "ESCALATION",
        "PUP_LIMITED_DISABLED",
    }
)
_DURATION = re.compile(r"(\d+(?:\.\d+)?)s")
# The project, by name or number, and the key.
_ACCOUNT = [
    (re.compile(r"\bAIza[\w-]+|\bAQ\.[\w.-]+"), "(the key)"),
    (re.compile(r"\b(?:in |for )?(?:projects?[/ :]\s*[\w:-]*\d[\w:-]*|project_number:\d+)", re.IGNORECASE), "(it)"),
    (re.compile(r"\b\d{9,}\b"), "(it)"),
]


def translated(response: httpx2.Response, prompt: str) -> Exception:
    """The error that an answer other than 200 stands for."""
    details = _error(response)
    status, message = str(details.get("status") or ""), str(details.get("message") or "")
    name = f"{response.status_code} {status}".strip()
    text = told(name, message or response.reason_phrase, prompt, _ACCOUNT)
    kind = _kind(status, response.status_code, message.lower())
    return RateLimitedError(text, _retry_after(response, details)) if kind is _WAIT else kind(text)


def finished(answer: dict[str, Any]) -> Exception:
    """The error that an answer 200 without an image stands for."""
    feedback, candidates = answer.get("promptFeedback"), answer.get("candidates")
    if isinstance(feedback, dict) and (blocked := feedback.get("blockReason")):
        return _REPORT(f"{blocked}: Gemini refused the prompt or the picture")
    first = candidates[0] if isinstance(candidates, list) and candidates else None
    reason = str(first.get("finishReason")) if isinstance(first, dict) else "no candidate"
    kind = _REPORT if reason in REFUSALS else _ASK_ONCE_MORE
    return kind(f"{reason}: Gemini made no image")


def unreachable(error: Exception, timeout: float) -> EngineRetryableError:
    """The error that a call without an answer stands for."""
    if isinstance(error, TimeoutError):
        failed = EngineRetryableError(f"TimeoutError: Gemini gave no answer in {timeout:.0f} s")
    else:
        failed = EngineRetryableError(f"{type(error).__name__}: the connection to Gemini failed")
    failed.may_have_cost = not isinstance(error, (httpx2.ConnectError, httpx2.ConnectTimeout))
    return failed


def _kind(status: str, http: int, message: str) -> type[Exception]:
    for row in TABLE:
        if row.status == status and row.http in (None, http) and row.says in message:
            return row.error
    return next(kind for statuses, kind in STATUSES if http in statuses)


def _error(response: httpx2.Response) -> dict[str, Any]:
    try:
        details = json.loads(response.content)["error"]
    except (KeyError, TypeError, ValueError):
        return {}
    return details if isinstance(details, dict) else {}


def _retry_after(response: httpx2.Response, details: dict[str, Any]) -> float:
    """How many seconds Gemini asks to wait (`google.rpc.RetryInfo`, else Retry-After); 0 when it does not say."""
    for delay in (*_delays(details), f"{response.headers.get('retry-after', '')}s"):
        if found := _DURATION.fullmatch(delay):
            return float(found[1])
    return 0.0


def _delays(details: dict[str, Any]) -> Iterator[str]:
    entries = details.get("details")
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and str(entry.get("@type")).endswith("google.rpc.RetryInfo"):
            yield str(entry.get("retryDelay"))
