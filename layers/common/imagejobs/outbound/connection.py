"""One guarded HTTP exchange with a stranger's server: resolve once, check every address, read little, end in time.

HTTP is httpx2's; `transport` leads it through the guard. No proxy of the environment is used, and only `fetch` follows
redirects, each as an exchange of its own. One deadline bounds everything, so that a server which drips a byte now and
then ends as well.
"""

import contextlib
import time
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from imagejobs import __version__
from imagejobs.errors import SourceRefusedError, SourceUnavailableError
from imagejobs.outbound.network import NETWORK, ExchangeFailedError, Network, UnusableAnswerError
from imagejobs.outbound.policy import OutboundPolicy, UrlRefusedError, check_url, redirected

if TYPE_CHECKING:
    import httpx2

MAX_ANSWER_BYTES = 64 * 1024
MAX_REDIRECTS = 3
# The service's own name: some servers refuse that of a library.
USER_AGENT = f"wxo-image-jobs/{__version__}"
_REDIRECTS = {301, 302, 303, 307, 308}
_GZIP = 16 + zlib.MAX_WBITS  # zlib's manual, inflateInit2: a gzip header and nothing else


def post(
    url: str, body: bytes, headers: dict[str, str], policy: OutboundPolicy, timeout: float, network: Network = NETWORK
) -> int:
    """POST `body` and return the status of the answer, a redirect's as any other.

    Raises:
        UrlRefusedError: policy forbids the URL, or an address that its host has.
        ExchangeFailedError: there was no complete answer within `timeout` seconds.
    """
    with _exchange("POST", url, body, headers, policy, _deadline_in(timeout), network) as answer:
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
        ExchangeFailedError: there was no complete answer within `timeout` seconds.
        UnusableAnswerError: there was one, of more than `max_bytes` or not readable.
    """
    with _exchange("GET", url, None, headers, policy, _deadline_in(timeout), network) as answer:
        return answer.status_code, _read(answer, max_bytes)


def fetch(
    url: str,
    policy: OutboundPolicy,
    *,
    max_bytes: int,
    timeout: float,
    field: str = "image_url",
    network: Network = NETWORK,
) -> bytes:
    """GET the file behind a URL, and behind at most MAX_REDIRECTS redirects, within `timeout` seconds in all.

    Every URL on the way passes the whole guard: its spelling, its host, every address of that. Errors name the `field`
    that the caller gave it in.

    Raises:
        SourceRefusedError: policy forbids a URL, or the answer is not 200, of more than `max_bytes` or not readable.
        SourceUnavailableError: no complete answer, or one of 5xx, 408 or 429.
    """
    deadline, name = _deadline_in(timeout), field
    try:
        for _ in range(1 + MAX_REDIRECTS):
            with _exchange("GET", url, None, {"Accept": "image/*"}, policy, deadline, network) as answer:
                location = answer.extensions["headers"]["location"]
                if not (answer.status_code in _REDIRECTS and location):
                    return _file(answer, max_bytes, field)
            name = f"URL that {field} redirects to"
            url = redirected(url, location)
    except UrlRefusedError as error:
        raise SourceRefusedError(f"the {name} {error}") from error
    except UnusableAnswerError as error:
        raise SourceRefusedError(f"the server of {field} {error}") from error
    except ExchangeFailedError as error:
        raise SourceUnavailableError(f"{field}: {error}") from error
    raise SourceRefusedError(f"{field} redirects more than {MAX_REDIRECTS} times: give the URL of the image itself")


def _file(answer: "httpx2.Response", max_bytes: int, field: str) -> bytes:
    status = answer.status_code
    if status >= 500 or status in (408, 429):
        raise SourceUnavailableError(f"the server of {field} answered {status}")
    if status != 200:
        raise SourceRefusedError(f"the server of {field} answered {status}")
    return _read(answer, max_bytes)


def _deadline_in(seconds: float) -> float:
    """The end of the other side's time by the monotonic clock; our own cold start, an import, does not count."""
    import imagejobs.outbound.transport  # noqa: F401

    return time.monotonic() + seconds


@contextlib.contextmanager
def _exchange(
    method: str,
    url: str,
    body: bytes | None,
    headers: dict[str, str],
    policy: OutboundPolicy,
    deadline: float,
    network: Network,
) -> "Iterator[httpx2.Response]":
    """Send one request over a connection of its own, and give the answer with its body still to be read."""
    target = check_url(url, policy)
    # Here, and in `transport`, since a function's cold start should not pay for what only an exchange needs.
    import httpx2

    from imagejobs.outbound.transport import GuardedTransport

    headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity", "Connection": "close", **headers}
    # What is named to httpx2 makes the Host header and httpx2's own log line: without the path, whose query is secret.
    origin = f"{target.scheme}://{target.host_header}"
    with (
        httpx2.Client(transport=GuardedTransport(target, policy, deadline, network), trust_env=False) as client,
        client.stream(method, origin, content=body, headers=headers) as answer,
    ):
        yield answer


def _read(answer: "httpx2.Response", max_bytes: int) -> bytes:
    """Read the answer's body; gzip is undone, as some servers send it unasked.

    Raises:
        UnusableAnswerError: more than `max_bytes`, before or after that, or an encoding that cannot be undone.
    """
    gunzip = _gunzip(answer.extensions["headers"]["content-encoding"])
    body, received = bytearray(), 0
    try:
        for chunk in answer.iter_raw():
            received += len(chunk)
            # Of a bomb no more is undone than a byte above the limit.
            body += gunzip.decompress(chunk, max_bytes + 1 - len(body)) if gunzip else chunk
            if max(received, len(body)) > max_bytes:
                raise UnusableAnswerError(f"answered more than {max_bytes:,} bytes")
    except zlib.error as error:
        raise UnusableAnswerError("answered with broken gzip data") from error
    if gunzip and received and (not gunzip.eof or gunzip.unused_data):
        raise UnusableAnswerError("answered with gzip data that does not end where the answer does")
    return bytes(body)


def _gunzip(content_encoding: str) -> "zlib._Decompress | None":
    match content_encoding.strip().lower():
        case "" | "identity":
            return None
        case "gzip" | "x-gzip":  # RFC 9110, section 8.4.1.3
            return zlib.decompressobj(_GZIP)
        case _:
            raise UnusableAnswerError(
                "answered in a content encoding that nobody asked for, and that is not gzip alone"
            )
