"""A receiver of callbacks that records all it gets and answers as it was told to.

`python -m local.receiver --port 8082` runs it by itself; tests and the demo run it in their own process.

Control: `GET /_control/requests[?path=/hook]`, `PUT /_control/scripts/<path>` with a JSON list of steps, and
`POST /_control/reset`.
"""

import threading
import time
from dataclasses import dataclass, field
from typing import Annotated, Any, Self, cast
from urllib.parse import parse_qs, urlsplit

import typer
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from local.http_server import Handler, Server

_CONTROL = "/_control/"
_MAX_KEPT = 5_000


class Step(BaseModel):
    """How one request is answered. `hang` waits that many seconds and then drops the connection."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    status: Annotated[int, Field(ge=100, le=599)] = 200
    headers: dict[str, str] = {}
    body: str = ""
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
        self._server = Server(self.port, _ReceiverHandler, self)

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


class _ReceiverHandler(Handler):
    @property
    def receiver(self) -> Receiver:
        return cast(Receiver, self.server.owner)

    def _serve(self) -> None:
        parts, body = urlsplit(self.path), self.body()
        if parts.path.startswith(_CONTROL):
            self._control(parts.path.removeprefix(_CONTROL), parse_qs(parts.query), body)
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        step = self.receiver.record(Received(self.command, parts.path, parts.query, headers, body, time.time()))
        self.server.closing.wait(step.delay)
        if step.hang:
            self.hang(step.hang)
        elif step.drop:
            self.drop()
        else:
            self.reply(step.status, step.body.encode(), step.headers)

    do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 - the base class's names

    def _control(self, action: str, query: dict[str, list[str]], body: bytes) -> None:
        if action == "requests":
            found = self.receiver.received(query.get("path", [None])[0])
            self.reply_json(200, [{**vars(one), "body": one.body.decode(errors="replace")} for one in found])
        elif action == "reset":
            self.receiver.reset()
            self.reply(204)
        elif action.startswith("scripts/"):
            self.receiver.script("/" + action.removeprefix("scripts/"), *_STEPS.validate_json(body))
            self.reply(204)
        else:
            self.reply_json(404, {"detail": f"no control named {action!r}: requests, scripts/<path>, reset"})


def main(port: Annotated[int, typer.Option(help="The port to listen on.")] = 8082) -> None:
    """Receive callbacks until the process is ended."""
    with Receiver(port) as receiver:
        print(f"callback receiver on {receiver.base_url}", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    typer.run(main)
