"""The small HTTP server that the OpenAI stand-in and the callback receiver share."""

import contextlib
import json
import socket
import struct
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

HOST = "127.0.0.1"


class Server(ThreadingHTTPServer):
    """Serves on 127.0.0.1 in threads of its own; a context manager. Port 0 takes a free one.

    `owner` is what its handlers serve.
    """

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, port: int, handler: type["Handler"], owner: Any) -> None:
        super().__init__((HOST, port), handler)
        self.owner = owner
        self.closing = threading.Event()
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def url(self) -> str:
        """The server's base URL, without a slash at its end."""
        return f"http://{HOST}:{self.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self.shutdown()
        self._thread.join(timeout=5)
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is no event; the rest is reported as usual."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """Reads a request's body and answers it, well or badly."""

    protocol_version = "HTTP/1.1"
    timeout = 120
    server: Server

    def body(self) -> bytes:
        """Read the request's body, whether its length was announced or it comes in chunks."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            if len(body) < length:
                raise ConnectionResetError("the client hung up in the middle of its request")
            return body
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def reply(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        """Send an answer."""
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def reply_json(self, status: int, payload: Any, headers: dict[str, str] | None = None) -> None:
        """Send an answer as JSON."""
        self.reply(status, json.dumps(payload).encode(), {"Content-Type": "application/json", **(headers or {})})

    def drop(self) -> None:
        """Break the connection off with a reset, without an answer."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RD)
        self.connection.close()

    def hang(self, seconds: float) -> None:
        """Keep the client waiting, then break the connection off; ends early when the server closes."""
        self.server.closing.wait(seconds)
        self.drop()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Log nothing: bodies, prompts and query strings stay out of the logs."""
