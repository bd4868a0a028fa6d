"""Requests to the service: one pool of connections, bounded tries, and errors by name."""

import random
import ssl
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from typing import Any, TypedDict

import httpx2

from imagejobs_client.connection import Connection
from imagejobs_client.errors import APIError, ServiceUnreachableError, UnexpectedAnswerError

# With these the service did nothing, or may be asked again without harm.
_TRY_AGAIN = frozenset({429, 502, 503, 504})
_TIMEOUT = httpx2.Timeout(60, connect=10)
USER_AGENT = f"imagejobs/{version('wxo-image-jobs-client')}"


class Wire(TypedDict, total=False):
    """What connections are made of: certificates, which are read once, or a transport in the network's place."""

    verify: ssl.SSLContext
    transport: httpx2.BaseTransport


@dataclass(frozen=True)
class Retries:
    """How often a request is made in all, and how long is waited before the next: seconds, doubled each time.

    `longest` bounds each wait, also what `Retry-After` asks for: with a longer one the error is raised at once.
    """

    tries: int = 5
    first: float = 0.5
    longest: float = 60
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)

    def wait(self, tried: int, asked: float | None) -> bool:
        """Wait before the next try; False when there is none."""
        pause = asked if asked is not None else self.first * 2 ** (tried - 1) * random.uniform(0.5, 1)
        if tried >= self.tries or pause > self.longest:
            return False
        self.sleep(pause)
        return True


class Transport:
    """Speaks with one service. Threads may share it. Another address never gets the key: there are no redirects."""

    def __init__(self, connection: Connection, retries: Retries, wire: Wire) -> None:
        self.connection = connection
        self.retries = retries
        headers = {"User-Agent": USER_AGENT, **connection.headers}
        self._http = httpx2.Client(headers=headers, timeout=_TIMEOUT, **wire)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        json: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        once: bool = False,
        accept: Collection[int] = (),
    ) -> httpx2.Response:
        """Make a request and give back its successful answer.

        It is tried again, for a time, while the service is unreachable, busy (429) or down (502, 503, 504), unless it
        is to be made `once`. The codes of `accept` count as success.

        Raises APIError for a refusal, ServiceUnreachableError when no answer came.
        """
        url = f"{self.connection.address}{path}"
        asked = {name: value for name, value in (query or {}).items() if value is not None}
        tried = 0
        while True:
            tried += 1
            try:
                answer = self._http.request(method, url, json=json, params=asked or None, headers=headers)
            except httpx2.TransportError as error:
                if once or not self.retries.wait(tried, None):
                    raise ServiceUnreachableError(f"no answer from {self.connection.address}: {error}") from error
                continue
            if answer.is_success or answer.status_code in accept:
                return answer
            if once or answer.status_code not in _TRY_AGAIN or not self.retries.wait(tried, retry_after(answer)):
                raise refusal(answer, self.connection.address)

    def read(self, method: str, path: str, **options: Any) -> Any:
        """Make a request as `request` does, and read its answer's JSON."""
        answer = self.request(method, path, **options)
        try:
            return answer.json()
        except ValueError as error:
            raise UnexpectedAnswerError(f"{method} {path}: the answer is not JSON. Is the address right?") from error


def retry_after(answer: httpx2.Response) -> float | None:
    """The seconds that an answer asks to wait (RFC 9110, section 10.2.3: a number or a date)."""
    text = answer.headers.get("Retry-After", "")
    if text.strip().isdigit():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return None


def refusal(answer: httpx2.Response, address: str) -> APIError:
    """The error that an answer of the service at this address tells of."""
    try:
        body: object = answer.json()
    except ValueError:
        # What a proxy answers as a page is not shown to people.
        body = answer.text if answer.headers.get("content-type", "").startswith("text/plain") else ""
    return APIError.of(answer.status_code, body, answer.headers, address)
