"""What stand-ins for engines have in common: answers given in turn, a list of the calls, faults by name."""

import re
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from werkzeug import Request, Response

from standins.server import CONTROL, Answer, Server, json_response

_MARKER = re.compile(r"\[fault:(\w+)\]")
_KEPT_REQUESTS = 100


@dataclass
class Call:
    """An edit that was asked for, and the status of its answer, 0 for none."""

    model: str
    prompt: str
    started_at: float
    fault: str | None = None
    status: int = 0


class ScriptedServer(Server):
    """A stand-in; a context manager. `latency` is the seconds from a request's arrival to its answer.

    What it answers is decided by the first of these: `will_answer` (the answers in turn), a prompt that holds
    `[fault:name]` with a name of `faults`, and the edit itself. `requests` are the last hundred requests, parsed.
    """

    faults: Mapping[str, Answer]

    def __init__(self, port: int = 0, latency: float = 0) -> None:
        super().__init__(port)
        self.latency = latency
        self.calls: list[Call] = []
        self.requests: deque[dict[str, Any]] = deque(maxlen=_KEPT_REQUESTS)
        self._answers: deque[Answer] = deque()
        self._lock = threading.Lock()

    def will_answer(self, *answers: Answer) -> None:
        """Give these answers in turn, whatever is asked; the last one for all that follow."""
        with self._lock:
            self._answers = deque(answers)

    def answer(self, request: Request) -> Response:
        """Answer as the provider does."""
        if request.path == f"{CONTROL}calls":
            return json_response([asdict(call) for call in list(self.calls)])
        answer = self.answered(request)
        return self.send(replace(answer, delay=answer.delay + self.latency))

    def answered(self, request: Request) -> Answer:
        """What a request is answered with."""
        raise NotImplementedError

    def scripted(self, model: str, prompt: str, request: dict[str, Any]) -> tuple[Call, Answer | None]:
        """Take a call down; gives the answer that was set for it, or that its prompt asks for."""
        found = _MARKER.search(prompt)
        call = Call(model, prompt, time.time(), found[1] if found and found[1] in self.faults else None)
        with self._lock:
            self.calls.append(call)
            self.requests.append(request)
            scripted = self._answers.popleft() if len(self._answers) > 1 else next(iter(self._answers), None)
        answer = scripted or (self.faults[call.fault] if call.fault else None)
        call.status = answer.status if answer else 200
        return call, answer
