"""A receiver of callbacks that records all it gets and answers as it was told to.

`python -m standins.receiver --port 8082` runs it by itself; tests and the demo run it in their own process.
`GET /_control/requests[?path=/hook]` lists what came, `POST /_control/reset` forgets it.
"""

import json
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import typer
from werkzeug import Request, Response

from standins.server import CONTROL, Server, json_response


@dataclass(frozen=True)
class Step:
    """How one request is answered. `hang` waits that many seconds and then drops the connection."""

    status: int = 200
    body: str | bytes = ""
    drop: bool = False
    hang: float = 0


@dataclass(frozen=True)
class Received:
    """One request as it came. `at` is its time in seconds since the epoch; header names are in lower case.

    `answered` is the status that it was answered with, 0 where the connection was broken off.
    """

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    at: float
    answered: int

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass
class Receiver(Server):
    """The receiver; a context manager. Paths without a script are answered 200. It keeps the last `kept` requests."""

    port: int = 0
    kept: int = 5_000
    _received: list[Received] = field(default_factory=list)
    _scripts: dict[str, deque[Step]] = field(default_factory=dict)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        super().__init__(self.port)

    def url(self, path: str = "/callback") -> str:
        """A callback URL of this receiver."""
        return f"{self.base_url}{path}"

    def script(self, path: str, *steps: Step | int) -> None:
        """Answer the requests to `path` by these steps in turn; the last one holds for all that follow."""
        with self._changed:
            self._scripts[path] = deque(Step(step) if isinstance(step, int) else step for step in steps)

    def received(self, path: str | None = None) -> list[Received]:
        """What came so far, in order, of one path or of all."""
        with self._changed:
            return [one for one in self._received if path is None or one.path == path]

    def wait(self, count: int = 1, *, path: str | None = None, timeout: float = 30) -> list[Received]:
        """Wait until `count` requests have come; TimeoutError says how many did."""
        with self._changed:
            came = self._changed.wait_for(lambda: len(self.received(path)) >= count, timeout)
            found = self.received(path)
        if not came:
            raise TimeoutError(f"{len(found)} of {count} requests came to {path or 'any path'} in {timeout} s")
        return found

    def reset(self) -> None:
        """Forget everything received and every script."""
        with self._changed:
            self._received.clear()
            self._scripts.clear()

    def answer(self, request: Request) -> Response:
        """Record a request and answer it by its path's script."""
        if request.path.startswith(CONTROL):
            return self._control(request)
        headers = {name.lower(): value for name, value in request.headers.items()}
        query, body = request.query_string.decode(), request.get_data()
        step = self._next_step(request.path)
        answered = 0 if step.hang or step.drop else step.status
        self._record(Received(request.method, request.path, query, headers, body, time.time(), answered))
        if step.hang or step.drop:
            return self.drop(after=step.hang)
        return Response(step.body, step.status)

    def _next_step(self, path: str) -> Step:
        with self._changed:
            steps = self._scripts.get(path) or deque([Step()])
            return steps.popleft() if len(steps) > 1 else steps[0]

    def _record(self, request: Received) -> None:
        with self._changed:
            self._received.append(request)
            del self._received[: -self.kept]
            self._changed.notify_all()

    def _control(self, request: Request) -> Response:
        match request.path.removeprefix(CONTROL):
            case "requests":
                found = self.received(request.args.get("path"))
                return json_response([{**vars(one), "body": one.body.decode(errors="replace")} for one in found])
            case "reset":
                self.reset()
                return Response(status=204)
        return json_response({"detail": f"{request.path} is not known: only requests and reset are"}, 404)


def main(port: int = 8082) -> None:
    """Receive callbacks until the process is ended."""
    Receiver(port).run()


if __name__ == "__main__":
    typer.run(main)
