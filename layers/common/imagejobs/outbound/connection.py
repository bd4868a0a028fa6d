"""One guarded HTTP exchange: resolve once, check every address, connect to what was checked, read little, end in time.

Built on http.client, which opens no connection by itself here, follows no redirect and reads no proxy from the
environment; certificate and SNI are those of the URL's name although the connection is made to an address. One
deadline bounds everything, so that a server which drips a byte now and then ends as well.
"""

import contextlib
import io
import socket
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import lru_cache
from http.client import HTTPConnection, HTTPException, HTTPResponse

from imagejobs.errors import RetryableError, SourceRefusedError, SourceUnavailableError
from imagejobs.outbound.addresses import parse_address
from imagejobs.outbound.policy import OutboundPolicy, Target, UrlRefusedError, check_address, check_url

MAX_ANSWER_BYTES = 64 * 1024
_CONNECT_SECONDS = 10.0
_CHUNK_BYTES = 64 * 1024
_MAX_INTERIM_ANSWERS = 100


class ExchangeFailedError(RetryableError):
    """No complete answer: the name did not resolve, no connection, TLS or HTTP broken, or out of time."""


@lru_cache
def _tls_context() -> ssl.SSLContext:
    return ssl.create_default_context()


def _resolve(host: str, port: int) -> list[str]:
    return [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


@dataclass(frozen=True)
class Network:
    """What touches the network, so that tests can lead names to where they listen."""

    # host, port -> addresses
    resolve: Callable[[str, int], list[str]] = _resolve
    # (address, port), seconds -> a connected socket
    connect: Callable[[tuple[str, int], float], socket.socket] = socket.create_connection
    tls_context: Callable[[], ssl.SSLContext] = _tls_context


NETWORK = Network()


def post(
    url: str, body: bytes, headers: dict[str, str], policy: OutboundPolicy, timeout: float, network: Network = NETWORK
) -> int:
    """POST `body` and return the status of the answer, a redirect's as any other.

    Raises:
        UrlRefusedError: policy forbids the URL, or an address that its host has.
        ExchangeFailedError: there was no complete answer within `timeout` seconds.
    """
    with _Exchange(check_url(url, policy), policy, timeout, network) as exchange:
        response = exchange.send("POST", headers, body)
        # The status is the receiver's word. What follows is read for politeness, up to a limit, and changes nothing.
        with contextlib.suppress(ExchangeFailedError):
            exchange.read(response, MAX_ANSWER_BYTES)
        return response.status


def fetch(url: str, policy: OutboundPolicy, *, max_bytes: int, timeout: float, network: Network = NETWORK) -> bytes:
    """GET the file behind a URL, within `timeout` seconds.

    Raises:
        SourceRefusedError: policy forbids the URL, the answer is not 200, or it has more than `max_bytes`.
        SourceUnavailableError: no complete answer, or one of 5xx, 408 or 429.
    """
    try:
        with _Exchange(check_url(url, policy), policy, timeout, network) as exchange:
            response = exchange.send("GET", {"Accept": "image/*", "Accept-Encoding": "identity"})
            if response.status >= 500 or response.status in (408, 429):
                raise SourceUnavailableError(f"the server of image_url answered {response.status}")
            if response.status != 200:
                hint = "; redirects are not followed" if 300 <= response.status < 400 else ""
                raise SourceRefusedError(f"the server of image_url answered {response.status}{hint}")
            body = exchange.read(response, max_bytes + 1)
            if len(body) > max_bytes:
                raise SourceRefusedError(f"the file behind image_url has more than {max_bytes:,} bytes")
            if response.length:
                raise SourceUnavailableError("the server of image_url broke off its answer")
            return body
    except UrlRefusedError as error:
        raise SourceRefusedError(f"the image_url {error}") from error
    except ExchangeFailedError as error:
        raise SourceUnavailableError(f"image_url: {error}") from error


class _Exchange:
    """One request and its answer over one connection."""

    def __init__(self, target: Target, policy: OutboundPolicy, timeout: float, network: Network) -> None:
        self._target, self._policy, self._network = target, policy, network
        self._deadline = time.monotonic() + timeout
        self._open = contextlib.ExitStack()

    def __enter__(self) -> "_Exchange":
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def send(self, method: str, headers: dict[str, str], body: bytes | None = None) -> HTTPResponse:
        """Send the request and read the head of its answer."""
        try:
            wire = self._open.enter_context(_Wire(self._connected(), self._deadline))
            connection = HTTPConnection(self._target.host, self._target.port)
            connection.sock = wire
            connection.putrequest(method, self._target.path, skip_host=True, skip_accept_encoding=True)
            length = {} if body is None else {"Content-Length": str(len(body))}
            for name, value in {"Host": self._target.host_header, "Connection": "close", **length, **headers}.items():
                connection.putheader(name, value)
            # A server may answer and hang up before it has read everything: its answer counts.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.endheaders(body)
            return self._read_head(wire, method)
        except (OSError, HTTPException) as error:
            raise ExchangeFailedError(_words(error)) from error

    def read(self, response: HTTPResponse, max_bytes: int) -> bytes:
        """Read the answer's body, at most `max_bytes` of it."""
        body = bytearray()
        try:
            while len(body) < max_bytes and (chunk := response.read1(min(_CHUNK_BYTES, max_bytes - len(body)))):
                body += chunk
        except (OSError, HTTPException) as error:
            raise ExchangeFailedError(_words(error)) from error
        return bytes(body)

    def _read_head(self, wire: "_Wire", method: str) -> HTTPResponse:
        """Read status line and headers, past the interim answers (1xx), of which http.client knows only 100."""
        for _ in range(_MAX_INTERIM_ANSWERS):
            # All that the response calls of the wire is makefile.
            response = self._open.enter_context(HTTPResponse(wire, method=method))  # type: ignore[arg-type]
            response.begin()
            if response.status >= 200:
                return response
            response.fp = None  # type: ignore[assignment]  # not its own to close: the next answer comes from it
        raise HTTPException("too many interim answers")

    def _connected(self) -> socket.socket:
        """Connect to the first address that takes it, all of them checked before."""
        port, failure = self._target.port, OSError("no address")
        for address in self._addresses():
            try:
                raw = self._network.connect((address, port), min(_CONNECT_SECONDS, self._remaining()))
            except OSError as error:
                failure = error
                continue
            if self._target.scheme == "http":
                return raw
            with contextlib.ExitStack() as on_failure:
                on_failure.callback(raw.close)
                raw.settimeout(self._remaining())
                secured = self._network.tls_context().wrap_socket(raw, server_hostname=self._target.host)
                on_failure.pop_all()
                return secured
        raise failure

    def _addresses(self) -> list[str]:
        target = self._target
        if target.address is not None:
            return [target.host]
        answers = _within(self._remaining(), lambda: self._network.resolve(target.host, target.port))
        if not answers:
            raise OSError("the host name has no address")
        for answer in answers:
            address = parse_address(answer)
            try:
                if address is None:
                    raise UrlRefusedError("an address with a zone id")
                check_address(address, target.port, self._policy)
            except UrlRefusedError as error:
                # Which addresses an internal name has is nobody's business outside: the log's alone.
                raise UrlRefusedError("names a host with an address that is not public") from error
        return list(dict.fromkeys(answers))

    def _remaining(self) -> float:
        return _remaining(self._deadline)


class _Wire(io.RawIOBase):
    """A connected socket as http.client uses it, each of whose operations ends at the deadline."""

    def __init__(self, connected: socket.socket, deadline: float) -> None:
        self._socket, self._deadline = connected, deadline
        self._reader = io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        self._socket.settimeout(_remaining(self._deadline))
        return self._socket.recv_into(buffer)

    def sendall(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            self._socket.settimeout(_remaining(self._deadline))
            view = view[self._socket.send(view) :]

    def makefile(self, _mode: str) -> "io.BufferedReader[_Wire]":
        return self._reader

    def close(self) -> None:
        self._socket.close()
        super().close()


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


def _words(error: Exception) -> str:
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
        case HTTPException():
            return f"no valid HTTP answer ({type(error).__name__})"
        case _:
            return "the server could not be reached"
