"""A receiver of callbacks that records all it gets and answers as it was told to.

`python -m standins.receiver --port 8082` runs it by itself; tests and the demo run it in their own process.

Control: `GET /_control/requests[?path=/hook]`, `PUT /_control/scripts/<path>` with a JSON list of steps, and
`POST /_control/reset`.
"""

import threading
import time
from dataclasses import dataclass, field
from typing import Annotated, Any, Self

import typer
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from werkzeug import Request, Response

from standins.server import CONTROL, Server, json_response

_MAX_KEPT = 5_000


class Step(BaseModel):
    """How one request is answered. `hang` waits that many seconds and then drops the connection."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    status: Annotated[int, Field(ge=100, le=599)] = 200
    headers: dict[str, str] = {}
    body: str | bytes = ""
    delay: Annotated[float, Field(ge=0)] = 0
    drop: bool = False
    hang: Annotated[float, Field(ge=0)] = 0


_STEPS = TypeAdapter(list[Step | int])


@dataclass(frozen=True)
class Received:
    """One request as it came. `at` is its time in seconds since the epoch; header names are in lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    at: float

    def json(self) -> Any:
        """The body as JSON."""
        return TypeAdapter(Any).validate_json(self.body)


@dataclass
class _Script:
    steps: list[Step]
    used: int = 0

    def next(self) -> Step:
        step = self.steps[min(self.used, len(self.steps) - 1)]
        self.used += 1
        return step


@dataclass
class Receiver:
    """The receiver; a context manager. Paths without a script are answered 200."""

    port: int = 0
    _received: list[Received] = field(default_factory=list)
    _scripts: dict[str, _Script] = field(default_factory=dict)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        self._server = Server(self.port, self._serve)

    @property
    def base_url(self) -> str:
        """Where it listens: `http://127.0.0.1:<port>`."""
        return self._server.url

    def url(self, path: str = "/callback") -> str:
        """A callback URL of this receiver."""
        return f"{self.base_url}{path}"

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.__exit__()

    def script(self, path: str, *steps: Step | int) -> None:
        """Answer the requests to `path` by these steps in turn; the last one holds for all that follow."""
        if not steps:
            raise ValueError("a script has at least one step: Step(...) or a status such as 503")
        with self._changed:
            self._scripts[path] = _Script([Step(status=step) if isinstance(step, int) else step for step in steps])

    def received(self, path: str | None = None) -> list[Received]:
        """What came so far, in order, of one path or of all."""
        with self._changed:
            return [one for one in self._received if path is None or one.path == path]

    def wait(self, count: int = 1, *, path: str | None = None, timeout: float = 30) -> list[Received]:
        """Wait until `count` requests have come; TimeoutError says how many did."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while len(found := [one for one in self._received if path is None or one.path == path]) < count:
                if not self._changed.wait(max(0.0, deadline - time.monotonic())):
                    raise TimeoutError(f"{len(found)} of {count} requests came to {path or 'any path'} in {timeout} s")
            return found

    def reset(self) -> None:
        """Forget everything received and every script."""
        with self._changed:
            self._received.clear()
            self._scripts.clear()

    def record(self, request: Received) -> Step:
        with self._changed:
            self._received.append(request)
            del self._received[:-_MAX_KEPT]
            self._changed.notify_all()
            script = self._scripts.get(request.path)
            return script.next() if script else Step()

    def _serve(self, request: Request) -> Response:
        body = request.get_data()
        if request.path.startswith(CONTROL):
            return self._control(request, request.path.removeprefix(CONTROL), body)
        headers = {name.lower(): value for name, value in request.headers.items()}
        query = request.query_string.decode()
        step = self.record(Received(request.method, request.path, query, headers, body, time.time()))
        if step.hang:
            return self._server.drop(after=step.delay + step.hang)
        self._server.closing.wait(step.delay)
        if step.drop:
            return self._server.drop()
        return Response(step.body, step.status, step.headers)

    def _control(self, request: Request, action: str, body: bytes) -> Response:
        if action == "requests":
            found = self.received(request.args.get("path"))
            return json_response([{**vars(one), "body": one.body.decode(errors="replace")} for one in found])
        if action == "reset":
            self.reset()
        elif action.startswith("scripts/"):
            self.script("/" + action.removeprefix("scripts/"), *_STEPS.validate_json(body))
        else:
            return json_response({"detail": f"no control named {action!r}: requests, scripts/<path>, reset"}, 404)
        return Response(status=204)


def main(port: Annotated[int, typer.Option(help="The port to listen on.")] = 8082) -> None:
    """Receive callbacks until the process is ended."""
    with Receiver(port) as receiver:
        print(f"callback receiver on {receiver.base_url}", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    typer.run(main)
