"""What can go wrong: one tree of exceptions, each with a message for people.

ImageJobsError
├── ConnectionSettingsError      address or key is missing or cannot be used
├── ServiceUnreachableError      no answer: the network, the name or the address
├── UnexpectedAnswerError        an answer of another form than the API's
├── UnsupportedOptionError       this service does not know an option; nothing was sent
├── UnknownJobError              no job, or more than one, has an id that begins so
├── TransferError                an upload or a download broke off
├── JobFailedError               the job ended without a result; `job` has it
├── StillRunningError            the time to wait is over, the job goes on; `job` has it
└── APIError                     the service refused: `status`, `detail`, `correlation_id`
    ├── UnauthorizedError        401, 403
    ├── NotFoundError            404
    ├── ConflictError            409
    ├── TooLargeError            413
    ├── InvalidRequestError      422
    ├── TooManyRequestsError     429, after the last try
    └── UnavailableError         5xx, after the last try
"""

from collections.abc import Mapping
from typing import Any

from imagejobs_client.models import Job


class ImageJobsError(Exception):
    """The base of all errors of this package."""


class ConnectionSettingsError(ImageJobsError):
    """The service's address or key is missing or cannot be used."""


class ServiceUnreachableError(ImageJobsError):
    """No answer came from the service."""


class UnexpectedAnswerError(ImageJobsError):
    """The service answered in another form than its API says."""


class UnsupportedOptionError(ImageJobsError):
    """The service at this address does not know an option. It would pass over it, so nothing was sent."""


class UnknownJobError(ImageJobsError):
    """No job, or more than one, has an id that begins as asked."""


class TransferError(ImageJobsError):
    """An upload or a download broke off, or its link has expired; `status` is the storage's answer, if one came."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class JobFailedError(ImageJobsError):
    """The job ended without a result."""

    def __init__(self, job: Job) -> None:
        super().__init__(f"the job {job.job_id} ended as {job.status}: {job.reason or 'no reason was given'}")
        self.job = job


class StillRunningError(ImageJobsError):
    """The time to wait is over. The job goes on."""

    def __init__(self, job: Job) -> None:
        super().__init__(f"the job {job.job_id} still runs")
        self.job = job


class APIError(ImageJobsError):
    """The service refused a request; `detail` is its message, and `correlation_id` finds the request in its log."""

    def __init__(self, status: int, detail: str, correlation_id: str | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.correlation_id = correlation_id

    @classmethod
    def of(cls, status: int, body: object, headers: Mapping[str, str], address: str) -> "APIError":
        """The error for an answer of `address`: its body is `{"detail": …}`, or API Gateway's own `{"message": …}`."""
        kind = _BY_STATUS.get(status, UnavailableError if status >= 500 else APIError)
        detail = _detail(body) or f"HTTP {status}"
        # The service gives a detail with each refusal. Where an API or its stage is gone, API Gateway gives none.
        if status in (403, 404) and not (isinstance(body, dict) and "detail" in body):
            detail = f"{detail}: is the stack deployed, and {address} its address?"
        return kind(status, detail, headers.get("x-correlation-id"))


class UnauthorizedError(APIError):
    """401 or 403: the key or token is missing, wrong or expired, or may not do this."""


class NotFoundError(APIError):
    """404: there is no such job of this caller's, or the service does not have this route."""


class ConflictError(APIError):
    """409: the request contradicts an earlier one, or comes too early or too late."""


class TooLargeError(APIError):
    """413: the picture is too large to be posted; an upload takes it."""


class InvalidRequestError(APIError):
    """422: a part of the request is invalid; the message names every one."""


class TooManyRequestsError(APIError):
    """429: more requests than the owner allows."""


class UnavailableError(APIError):
    """5xx: the service, or one behind it, fails for the moment."""


_BY_STATUS: dict[int, type[APIError]] = {
    401: UnauthorizedError,
    403: UnauthorizedError,
    404: NotFoundError,
    409: ConflictError,
    413: TooLargeError,
    422: InvalidRequestError,
    429: TooManyRequestsError,
}


def _detail(body: object) -> str:
    if not isinstance(body, dict):
        return str(body or "").strip()[:500]
    detail = body.get("detail", body.get("message", ""))
    if isinstance(detail, list):
        return "; ".join(_field(one) for one in detail)
    return str(detail)


def _field(found: Any) -> str:
    """One invalid part of a 422, such as `prompt: expected text`. Some messages name their field themselves."""
    if not isinstance(found, dict):
        return str(found)
    where = ".".join(str(part) for part in found.get("loc", [])[1:])
    told = str(found.get("msg"))
    return f"{where}: {told}" if where and not told.startswith(f"{where}: ") else told
