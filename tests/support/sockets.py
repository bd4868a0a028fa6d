"""Servers on real sockets that misbehave at the level of bytes; `standins.receiver` speaks HTTP as it should."""

import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.support.waiting import PATIENCE

type Behaviour = Callable[[socket.socket, bytes], None]
type Serve = Callable[..., SocketServer]


@dataclass
class SocketServer:
    """Reads a request's head and then does what it was told to, one connection after the other."""

    port: int
    # The request heads, and the names that clients asked for by SNI.
    heads: list[bytes] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)

    @property
    def url(self) -> str:
        """A URL of this server."""
        return f"http://127.0.0.1:{self.port}/hook"


@contextmanager
def serving() -> Iterator[Serve]:
    """Starts servers: `serve(behaviour, …)` uses one behaviour a connection, the last one for all that follow."""
    stop = threading.Event()
    started: list[tuple[socket.socket, threading.Thread]] = []

    def serve(*behaviours: Behaviour, tls: ssl.SSLContext | None = None) -> SocketServer:
        listener = socket.create_server(("127.0.0.1", 0))
        listener.settimeout(0.1)
        server = SocketServer(listener.getsockname()[1])
        if tls:
            tls.sni_callback = lambda _socket, name, _context: server.names.append(name)
        thread = threading.Thread(target=_run, args=(listener, server, behaviours, tls, stop), daemon=True)
        started.append((listener, thread))
        thread.start()
        return server

    try:
        yield serve
    finally:
        stop.set()
        for listener, thread in started:
            listener.close()
            thread.join(timeout=PATIENCE)


def _run(
    listener: socket.socket,
    server: SocketServer,
    behaviours: tuple[Behaviour, ...],
    tls: ssl.SSLContext | None,
    stop: threading.Event,
) -> None:
    served = 0
    while not stop.is_set():
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            continue
        except OSError:
            return
        behaviour = behaviours[min(served, len(behaviours) - 1)]
        served += 1
        with connection:
            connection.settimeout(PATIENCE)
            try:
                with tls.wrap_socket(connection, server_side=True) if tls else connection as secured:
                    server.heads.append(head := _read_head(secured))
                    behaviour(secured, head)
            except OSError:
                continue  # the client hung up


def _read_head(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        byte = connection.recv(1)
        if not byte:
            raise ConnectionError("the client hung up")
        data += byte
        if data == b"\x16":
            break  # a TLS handshake, where plain HTTP is spoken
    return data


def read_body(connection: socket.socket, head: bytes) -> bytes:
    """Read the body of the request that `head` begins."""
    found = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
    body = b""
    while found and len(body) < int(found[1]):
        body += connection.recv(65536)
    return body


def answering(status: str, body: bytes = b"", *headers: str) -> Behaviour:
    """Read the request's body, then answer."""
    answer = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]).encode()

    def behaviour(connection: socket.socket, head: bytes) -> None:
        read_body(connection, head)
        connection.sendall(answer + b"\r\n\r\n" + body)

    return behaviour


def hang(connection: socket.socket, _head: bytes) -> None:
    """Take all that comes, and say nothing until the client hangs up."""
    while connection.recv(65536):
        pass


def drop(_connection: socket.socket, _head: bytes) -> None:
    """Close the connection without an answer."""


def dripping(beginning: bytes, drop: bytes = b"x") -> Behaviour:
    """Send `beginning`, and then `drop` again and again until the client hangs up."""

    def behaviour(connection: socket.socket, _head: bytes) -> None:
        connection.sendall(beginning)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            connection.sendall(drop)
            time.sleep(0.05)

    return behaviour
