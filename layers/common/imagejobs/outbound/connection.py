"""One guarded HTTP exchange with a stranger's server: resolve once, check every address, read little, end in time.

HTTP is httpx2's; `transport` leads it through the guard. No redirect is followed and no proxy of the environment used.
One deadline bounds everything, so that a server which drips a byte now and then ends as well.
"""

import contextlib
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from imagejobs.errors import SourceRefusedError, SourceUnavailableError
from imagejobs.outbound.network import NETWORK, ExchangeFailedError, Network
from imagejobs.outbound.policy import OutboundPolicy, UrlRefusedError, check_url

if TYPE_CHECKING:
    import httpx2

MAX_ANSWER_BYTES = 64 * 1024


def post(
    url: str, body: bytes, headers: dict[str, str], policy: OutboundPolicy, timeout: float, network: Network = NETWORK
) -> int:
    """POST `body` and return the status of the answer, a redirect's as any other.

    Raises:
        UrlRefusedError: policy forbids the URL, or an address that its host has.
        ExchangeFailedError: there was no complete answer within `timeout` seconds.
    """
    with _exchange("POST", url, body, headers, policy, timeout, network) as answer:
        # The status is the receiver's answer. The body is read for politeness, up to a limit, and changes nothing.
        with contextlib.suppress(ExchangeFailedError):
            _read(answer, MAX_ANSWER_BYTES)
        return answer.status_code


def get(
    url: str,
    headers: dict[str, str],
    policy: OutboundPolicy,
    *,
    max_bytes: int,
    timeout: float,
    network: Network = NETWORK,
) -> tuple[int, bytes]:
    """GET a small document and return its status and body.

    Raises:
        UrlRefusedError: policy forbids the URL, or an address that its host has.
        ExchangeFailedError: there was no complete answer within `timeout` seconds, or more than `max_bytes`.
    """
    with _exchange("GET", url, None, headers, policy, timeout, network) as answer:
        body = _read(answer, max_bytes)
        if len(body) > max_bytes:
            raise ExchangeFailedError(f"answered more than {max_bytes:,} bytes")
        return answer.status_code, body


def fetch(url: str, policy: OutboundPolicy, *, max_bytes: int, timeout: float, network: Network = NETWORK) -> bytes:
    """GET the file behind a URL, within `timeout` seconds.

    Raises:
        SourceRefusedError: policy forbids the URL, the answer is not 200, or it has more than `max_bytes`.
        SourceUnavailableError: no complete answer, or one of 5xx, 408 or 429.
    """
    try:
        with _exchange("GET", url, None, {"Accept": "image/*"}, policy, timeout, network) as answer:
            status = answer.status_code
            if status >= 500 or status in (408, 429):
                raise SourceUnavailableError(f"the server of image_url answered {status}")
            if status != 200:
                hint = "; redirects are not followed" if 300 <= status < 400 else ""
                raise SourceRefusedError(f"the server of image_url answered {status}{hint}")
            body = _read(answer, max_bytes)
            if len(body) > max_bytes:
                raise SourceRefusedError(f"the file behind image_url has more than {max_bytes:,} bytes")
            return body
    except UrlRefusedError as error:
        raise SourceRefusedError(f"the image_url {error}") from error
    except ExchangeFailedError as error:
        raise SourceUnavailableError(f"image_url: {error}") from error


@contextlib.contextmanager
def _exchange(
    method: str,
    url: str,
    body: bytes | None,
    headers: dict[str, str],
    policy: OutboundPolicy,
    timeout: float,
    network: Network,
) -> "Iterator[httpx2.Response]":
    """Send one request over a connection of its own, and give the answer with its body still to be read."""
    target = check_url(url, policy)
    # Here, and in `transport`, since a function's cold start should not pay for what only an exchange needs.
    import httpx2

    from imagejobs.outbound.transport import GuardedTransport

    deadline = time.monotonic() + timeout  # the other side's time, not that of our own cold start
    headers = {"Accept-Encoding": "identity", "Connection": "close", **headers}
    # What is named to httpx2 makes the Host header and httpx2's own log line: without the path, whose query is secret.
    origin = f"{target.scheme}://{target.host_header}"
    with (
        httpx2.Client(transport=GuardedTransport(target, policy, deadline, network), trust_env=False) as client,
        client.stream(method, origin, content=body, headers=headers) as answer,
    ):
        yield answer


def _read(answer: "httpx2.Response", max_bytes: int) -> bytes:
    """Read the answer's body; of a longer one than `max_bytes`, a little more than that."""
    body = bytearray()
    for chunk in answer.iter_raw():
        body += chunk
        if len(body) > max_bytes:
            break
    return bytes(body)
