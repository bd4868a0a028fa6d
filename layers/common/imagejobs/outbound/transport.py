"""httpx2's way to a stranger's server. HTTP and TLS are the library's; where a connection goes and when it ends, ours.

The URL keeps its name, and with it certificate, SNI and Host, although the connection is made to a checked address.
"""

import itertools
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future

import httpcore2
import httpx2

from imagejobs.outbound.addresses import parse_address
from imagejobs.outbound.network import ExchangeFailedError, Network
from imagejobs.outbound.policy import OutboundPolicy, Target, UrlRefusedError, check_address

_CONNECT_SECONDS = 10.0
# A stranger decides how many addresses a name has, and each one is a connection to somebody.
_MAX_ANSWERS = 100
_MAX_CONNECTS = 8
HANDED_ON = ("location", "content-encoding")
_MAX_HEADERS = 100
_MAX_HEAD_BYTES = 64 * 1024
# What a network and a server may do to an exchange; anything else is a fault of ours.
_FAILURES = (OSError, httpcore2.RemoteProtocolError)


class GuardedTransport(httpx2.BaseTransport):
    """Carries a request to `target`, until `deadline` by the monotonic clock; raises ExchangeFailedError."""

    def __init__(self, target: Target, policy: OutboundPolicy, deadline: float, network: Network) -> None:
        # From the parts that policy has judged: httpx2.URL would read, and rewrite, the URL anew.
        self._url = httpcore2.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path)
        self._pool = httpcore2.ConnectionPool(
            ssl_context=network.tls_context(),
            max_keepalive_connections=0,
            network_backend=_GuardedBackend(policy, deadline, network),
        )

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send the request and return the status, with the body still to be read.

        No header is handed on, so that the library finds nothing to follow, no cookie to keep and no compression to
        undo. What `connection` does by itself it finds in the extension `headers`: HANDED_ON, where there are any.
        """
        try:
            answer = self._pool.handle_request(
                httpcore2.Request(request.method, self._url, headers=request.headers.raw, content=request.stream)
            )
            _check_head(answer)
        except _FAILURES as error:
            raise ExchangeFailedError(_reason(error)) from error
        return httpx2.Response(answer.status, content=_body(answer), extensions={"headers": _handed_on(answer)})

    def close(self) -> None:
        """Close the connection, whatever is left to be read."""
        self._pool.close()


class _GuardedBackend(httpcore2.NetworkBackend):
    """Connects to a host by an address that policy allows."""

    def __init__(self, policy: OutboundPolicy, deadline: float, network: Network) -> None:
        self._policy, self._deadline, self._network = policy, deadline, network

    def connect_tcp(self, host: str, port: int, *_: object, **__: object) -> httpcore2.NetworkStream:
        """Connect to the first address that takes it, of _MAX_CONNECTS at most; all answers are checked before."""
        addresses = self._checked_addresses(host, port)[:_MAX_CONNECTS]
        for address in addresses:
            try:
                seconds = min(_CONNECT_SECONDS, _remaining(self._deadline))
                connected = self._network.connect((address, port), seconds)
            except OSError:
                if address == addresses[-1]:
                    raise
            else:
                # Head and body are written one after the other: without this the body waits for the head's receipt.
                connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return _BoundedStream(connected, self._deadline)
        raise OSError("the host name has no address")

    def _checked_addresses(self, host: str, port: int) -> list[str]:
        if parse_address(host):
            answers = [host]
        else:
            answers = _within(_remaining(self._deadline), lambda: self._network.resolve(host, port))
        if len(answers) > _MAX_ANSWERS:
            raise UrlRefusedError(f"names a host with more than {_MAX_ANSWERS} addresses")
        for answer in answers:
            address = parse_address(answer)
            try:
                if address is None:
                    raise UrlRefusedError("an address with a zone id")
                check_address(address, port, self._policy)
            except UrlRefusedError as error:
                # The log alone has the address: nobody outside may learn the addresses of an internal name.
                raise UrlRefusedError("names a host with an address that is not public") from error
        return list(dict.fromkeys(answers))


class _BoundedStream(httpcore2.NetworkStream):
    """A connected socket, each of whose operations ends at the deadline. The library's own limits are for one alone."""

    def __init__(self, connected: socket.socket, deadline: float) -> None:
        self._socket, self._deadline = connected, deadline

    def read(self, max_bytes: int, *_: object, **__: object) -> bytes:
        return self._bounded().recv(max_bytes)

    def write(self, buffer: bytes, *_: object, **__: object) -> None:
        view = memoryview(buffer)
        try:
            while view:
                view = view[self._bounded().send(view) :]
        except ConnectionError as error:
            # A server may answer and hang up before it has read everything: by this error the library looks for it.
            raise httpcore2.WriteError from error

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, *_: object, **__: object
    ) -> httpcore2.NetworkStream:
        try:
            secured = ssl_context.wrap_socket(self._bounded(), server_hostname=server_hostname)
        except BaseException:
            self.close()
            raise
        return _BoundedStream(secured, self._deadline)

    def close(self) -> None:
        self._socket.close()

    def _bounded(self) -> socket.socket:
        self._socket.settimeout(_remaining(self._deadline))
        return self._socket


def _check_head(answer: httpcore2.Response) -> None:
    parts = [answer.extensions["reason_phrase"], *itertools.chain.from_iterable(answer.headers)]
    if len(answer.headers) > _MAX_HEADERS or sum(map(len, parts)) > _MAX_HEAD_BYTES:
        raise httpcore2.RemoteProtocolError("too large a head")


def _handed_on(answer: httpcore2.Response) -> dict[str, str]:
    """The headers HANDED_ON; of one that stands there twice, both (RFC 9110, section 5.2)."""
    found = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in answer.headers]
    return {wanted: ", ".join(value for name, value in found if name == wanted) for wanted in HANDED_ON}


def _body(answer: httpcore2.Response) -> Iterator[bytes]:
    try:
        yield from answer.iter_stream()
    except _FAILURES as error:
        raise ExchangeFailedError(_reason(error)) from error


def _remaining(deadline: float) -> float:
    """Seconds until the deadline; raises TimeoutError behind it."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError("out of time")
    return seconds


def _within[T](seconds: float, call: Callable[[], T]) -> T:
    """Call something that takes no time limit of its own, as getaddrinfo does; raises TimeoutError."""
    outcome: Future[T] = Future()

    def run() -> None:
        try:
            outcome.set_result(call())
        except Exception as error:  # noqa: BLE001 - handed to the caller, whatever it is
            outcome.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return outcome.result(timeout=seconds)


def _reason(error: Exception) -> str:
    """Say what went wrong without naming an address or repeating what a server sent."""
    match error:
        case socket.gaierror():
            return "the host name could not be resolved"
        case TimeoutError():
            return "timed out"
        case ssl.SSLCertVerificationError():
            return f"the certificate was not accepted: {error.verify_message}"
        case ssl.SSLError():
            return f"TLS failed: {error.reason or 'the connection was closed'}"
        case ConnectionRefusedError():
            return "the connection was refused"
        case ConnectionError():
            return "the connection was closed by the server"
        case httpcore2.RemoteProtocolError():
            return "the server broke off, or gave no valid HTTP answer"
        case _:
            return "the server could not be reached"
