"""One attempt to hand a payload to its receiver, and what the answer means."""

import time
from dataclasses import dataclass

from imagejobs.errors import CallbackFailedError, CallbackGoneError, CallbackRefusedError, JobError
from imagejobs.outbound.connection import post
from imagejobs.outbound.network import ExchangeFailedError, Network
from imagejobs.outbound.policy import OutboundPolicy, UrlRefusedError

USER_AGENT = "wxo-image-jobs (callback)"


@dataclass(frozen=True)
class Attempt:
    """How an attempt went: delivered when there is no error. `status` is the receiver's, when it gave one."""

    milliseconds: int
    status: int | None = None
    error: JobError | None = None


def attempt(
    url: str, body: bytes, headers: dict[str, str], policy: OutboundPolicy, timeout: float, network: Network
) -> Attempt:
    """POST a payload once, within `timeout` seconds; 2xx alone is delivered."""
    started = time.monotonic()
    headers = {"Content-Type": "application/json", "User-Agent": USER_AGENT, **headers}
    status: int | None = None
    error: JobError | None
    try:
        status = post(url, body, headers, policy, timeout, network)
        error = _error_of(status)
    except UrlRefusedError as refused:
        error = CallbackRefusedError(f"the callback URL {refused}")
    except ExchangeFailedError as failed:
        error = CallbackFailedError(str(failed))
    return Attempt(round((time.monotonic() - started) * 1000), status, error)


def _error_of(status: int) -> JobError | None:
    if 200 <= status < 300:
        return None
    if status == 410:
        return CallbackGoneError("the receiver answered 410 Gone")
    hint = "; redirects are not followed" if 300 <= status < 400 else ""
    return CallbackFailedError(f"the receiver answered {status}{hint}")
