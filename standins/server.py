"""The small HTTP server under the stand-ins."""

import json
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from werkzeug import Request, Response
from werkzeug.serving import WSGIRequestHandler, make_server

HOST = "127.0.0.1"
# Sent before a part of the path of what steers a stand-in.
CONTROL = "/_control/"


@dataclass(frozen=True)
class Answer:
    """One answer. `body` is sent as JSON unless it is bytes, `delay` seconds after the request.

    `connection` says what else may happen: it breaks off ("hang": after `seconds`), or the answer drips without end.
    """

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    delay: float = 0
    connection: Literal["kept", "hang", "drop", "drip"] = "kept"
    seconds: float = 3600

    @property
    def payload(self) -> bytes:
        """The body as it is sent."""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


class Server:
    """Answers requests on 127.0.0.1, each in a thread of its own; a context manager. Port 0 takes a free one."""

    def __init__(self, port: int = 0) -> None:
        self.closing = threading.Event()
        application = _Request.application(self.answer)
        self._server = make_server(HOST, port, application, threaded=True, request_handler=_Connection)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def answer(self, request: Request) -> Response:
        """Answer a request."""
        raise NotImplementedError

    @property
    def base_url(self) -> str:
        """The server's base URL, without a slash at its end."""
        return f"http://{HOST}:{self._server.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Answer no more, and take no more connections."""
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)

    def run(self) -> None:
        """Answer until the process is ended."""
        with self:
            print(f"{type(self).__name__} on {self.base_url}", flush=True)
            threading.Event().wait()

    def send(self, answer: Answer) -> Response:
        """Give an answer, after its delay, or break the connection as it says."""
        if answer.connection == "hang":
            return self.drop(after=answer.seconds)
        self.closing.wait(answer.delay)
        if answer.connection == "drop":
            return self.drop()
        if answer.connection == "drip":
            return self.drip()
        return Response(answer.payload, answer.status, answer.headers, content_type=answer.content_type)

    def drop(self, after: float = 0) -> Response:
        """Break the connection off without an answer, `after` seconds or when the server closes."""
        return Response(self._breaking_off(after))

    def drip(self) -> Response:
        """Send an answer that has no end: a byte every tenth of a second."""
        return Response(self._dripping(), headers={"Content-Length": "1000000"})

    def _breaking_off(self, after: float) -> Iterator[bytes]:
        self.closing.wait(after)
        raise ConnectionAbortedError("the stand-in breaks the connection off")
        yield b""  # makes this a generator, which runs when the answer is to be sent

    def _dripping(self) -> Iterator[bytes]:
        while not self.closing.wait(0.1):
            yield b" "


def json_response(payload: Any, status: int = 200) -> Response:
    """An answer as JSON."""
    return Response(json.dumps(payload), status, content_type="application/json")


class _Request(Request):
    max_form_memory_size = None


class _Connection(WSGIRequestHandler):
    timeout = 120

    def connection_dropped(self, *_: Any) -> None:
        """Reset the connection, so that the client does not take it for an answer's end."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def log_request(self, *_: object) -> None:
        """Log nothing: prompts and query strings stay out of the logs."""
