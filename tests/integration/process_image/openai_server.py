"""An OpenAI for tests: a real server on loopback that answers `POST /v1/images/edits` as the test says."""

import base64
import json
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from tests.pictures import picture

EDITED = picture(96, 64, "crimson")
USAGE = {
    "input_tokens": 50,
    "input_tokens_details": {"image_tokens": 40, "text_tokens": 10},
    "output_tokens": 200,
    "total_tokens": 250,
}
_MAX_DRIP_SECONDS = 20


@dataclass
class Answer:
    """One answer: a status, headers and a body, JSON unless it is bytes already; or a fault."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    delay: float = 0
    # "drop": the connection is closed without an answer; "drip": a byte every tenth of a second, without end.
    fault: str | None = None

    @property
    def payload(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


def edited(image: bytes = EDITED, **more: Any) -> Answer:
    """What OpenAI answers to an edit that worked."""
    data = [{"b64_json": base64.b64encode(image).decode()}]
    return Answer(body={"created": 1, "data": data, "usage": USAGE} | more)


def refused(
    status: int, code: str | None = None, kind: str | None = None, message: str = "No.", **headers: str
) -> Answer:
    """What OpenAI answers to a call that failed."""
    error = {"message": message, "type": kind, "param": None, "code": code}
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status=status, body={"error": error}, headers=names)


@dataclass
class OpenAIServer:
    """Where the server listens, what it will answer (the last answer for good), and the bodies it was sent."""

    base_url: str
    answers: deque[Answer]
    requests: list[bytes] = field(default_factory=list)

    @property
    def calls(self) -> int:
        return len(self.requests)

    def will_answer(self, *answers: Answer) -> None:
        self.answers.clear()
        self.answers.extend(answers)


def _handler(server: Callable[[], OpenAIServer]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            openai = server()
            openai.requests.append(self.rfile.read(int(self.headers["Content-Length"])))
            answer = openai.answers.popleft() if len(openai.answers) > 1 else openai.answers[0]
            time.sleep(answer.delay)
            with suppress(OSError):  # the client may be gone by now
                self._answer(answer)

        def _answer(self, answer: Answer) -> None:
            if answer.fault == "drop":
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in {"Content-Type": answer.content_type, **answer.headers}.items():
                self.send_header(name, value)
            if answer.fault == "drip":
                self._drip()
                return
            self.send_header("Content-Length", str(len(answer.payload)))
            self.end_headers()
            self.wfile.write(answer.payload)

        def _drip(self) -> None:
            self.send_header("Content-Length", "1000000")
            self.end_headers()
            self.close_connection = True
            until = time.monotonic() + _MAX_DRIP_SECONDS
            while time.monotonic() < until:
                self.wfile.write(b" ")
                time.sleep(0.1)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@contextmanager
def openai_server() -> Iterator[OpenAIServer]:
    """Run the server for a while; it answers every call with `edited()` until told otherwise."""
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), _handler(lambda: server))
    httpd.daemon_threads = True
    httpd.block_on_close = False
    server = OpenAIServer(f"http://127.0.0.1:{httpd.server_port}/v1", deque([edited()]))
    thread = Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join(5)
