"""A stand-in for OpenAI that speaks `POST /v1/images/edits` and `POST /v1/moderations`.

Its edits can be seen, and it fails on demand. It knows every model that `GET /v1/models/{model}` asks for.
`python -m standins.openai --port 8081` runs it by itself; tests run it in their own process.

What it answers is decided by the first of these that holds:
- in the same process, `will_answer` (the answers in turn), then `fail` (the first rule that fits a request);
- the request itself: a prompt that holds `[fault:rate_limit]`, or a PNG with a text chunk `fault` of that value.

`GET /_control/calls` lists the edits asked for. Moderations: `standins.openai_moderation`.
"""

import math
import re
import threading
import time
from collections import deque
from dataclasses import asdict, dataclass, field, replace
from io import BytesIO
from typing import Any, get_type_hints

import typer
from openai.types.image_edit_params import ImageEditParamsNonStreaming
from PIL import Image, UnidentifiedImageError
from werkzeug import Request, Response

from standins.edits import FORMATS, edit_of
from standins.openai_answers import FAULTS, REFUSALS, Fault, edited, refused, usage_of
from standins.openai_moderation import moderated
from standins.server import CONTROL, Answer, Server, json_response

# `images.edit` of the SDK.
OPENAI_FIELDS = frozenset(get_type_hints(ImageEditParamsNonStreaming))
# "Image Edits API", NVIDIA Dynamo's documentation: without mask, output_compression and safety_identifier.
STRICT_FIELDS = frozenset(
    {"image", "prompt", "model", "n", "quality", "background", "output_format", "response_format", "size", "user"}
)
_EDITS, _MODERATIONS, _MODEL = "/v1/images/edits", "/v1/moderations", "/v1/models/"
DEFAULT_LATENCY = 0.5
_MARKER = re.compile(r"\[fault:(\w+)\]")
_KEPT_BODIES = 100
_INVALID = "invalid_request_error"


@dataclass
class Call:
    """An edit that was asked for. `status` is the answer's, 0 for none; `ended_at` is None while it is under way."""

    prompt: str
    filename: str
    model: str
    output_format: str
    bytes_in: int
    started_at: float
    # What came beside prompt, picture and model: the fields of the form, and how many further pictures.
    fields: dict[str, str]
    references: int
    mask: bool
    fault: str | None = None
    status: int = 0
    ended_at: float | None = None

    def end(self) -> None:
        """Note that the answer was sent, or broken off."""
        self.ended_at = time.time()


@dataclass
class OpenAIStandIn(Server):
    """The stand-in; a context manager. `latency` is the seconds from a request's arrival to its answer.

    With `known=STRICT_FIELDS` it is another server that speaks OpenAI's API, as strict as NVIDIA's Dynamo in front of
    vLLM-Omni, which answers 400 to every field that it does not know.

    `requests` and `moderations` are the last hundred bodies of each as they came.
    """

    port: int = 0
    latency: float = DEFAULT_LATENCY
    images_per_minute: float = 0
    # What it knows of a request: OpenAI refuses what is not in its API, and servers that speak it know less of it.
    known: frozenset[str] = OPENAI_FIELDS
    calls: list[Call] = field(default_factory=list)
    requests: deque[bytes] = field(default_factory=lambda: deque(maxlen=_KEPT_BODIES))
    moderations: deque[bytes] = field(default_factory=lambda: deque(maxlen=_KEPT_BODIES))
    _answers: deque[Answer] = field(default_factory=deque)
    _moderation: Answer | None = None
    _faults: list[Fault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _next_slot: float = 0

    def __post_init__(self) -> None:
        super().__init__(self.port)

    @property
    def base_url(self) -> str:
        """What the OpenAI SDK takes as its `base_url`."""
        return f"{super().base_url}/v1"

    def fail(self, fault: str, **options: Any) -> None:
        """Add a rule; see `Fault`."""
        with self._lock:
            self._faults.append(Fault(fault=fault, **options))

    def will_answer(self, *answers: Answer) -> None:
        """Give these answers in turn, whatever is asked; the last one for all that follow."""
        with self._lock:
            self._answers = deque(answers)

    def will_moderate(self, answer: Answer) -> None:
        """Give this answer to every moderation."""
        self._moderation = answer

    def reset(self) -> None:
        """Forget the calls, the rules, the answers and the rate limit."""
        with self._lock:
            self.images_per_minute = self._next_slot = 0
            for kept in (self.calls, self.requests, self.moderations, self._answers, self._faults):
                kept.clear()
            self._moderation = None

    def answer(self, request: Request) -> Response:
        """Answer as OpenAI's API does."""
        arrived, body = time.monotonic(), request.get_data()
        if request.path == f"{CONTROL}calls":
            return json_response([asdict(call) for call in list(self.calls)])
        if (request.method, request.path) == ("POST", _MODERATIONS):
            self.moderations.append(body)
            return self.send(self._moderation or moderated(body))
        if request.method == "GET" and request.path.startswith(_MODEL):
            return json_response({"id": request.path.removeprefix(_MODEL), "object": "model", "owned_by": "stand-in"})
        if (request.method, request.path) != ("POST", _EDITS):
            return self.send(refused(404, "unknown_url", _INVALID, f"Unknown URL ({request.path})"))
        return self._edit(request, body, arrived)

    def _edit(self, request: Request, body: bytes, arrived: float) -> Response:
        images = request.files.getlist("image") or request.files.getlist("image[]")
        image = images[0] if images else None
        content = image.stream.read() if image else b""
        mask = request.files["mask"].stream.read() if "mask" in request.files else b""
        if problem := _problem(request, content, mask, self.known):
            return self.send(refused(400, "invalid_value", _INVALID, problem))
        form, filename = request.form, (image and image.filename) or ""
        wanted = form.get("output_format", "png")
        fields = {name: value for name, value in form.items() if name not in ("prompt", "model")}
        call = Call(
            form["prompt"],
            filename,
            form.get("model", ""),
            wanted,
            len(content),
            time.time(),
            fields,
            references=len(images) - 1,
            mask=bool(mask),
        )
        with self._lock:
            scripted = self._scripted()
            fault = None if scripted else self._fault_of(call, content)
            if not scripted and not fault:
                scripted = self._rate_limited()
            call.fault = fault.fault if fault else None
            self.calls.append(call)
            self.requests.append(body)
        answer = scripted or self._made(call, content, fault, arrived)
        call.status = 0 if answer.connection in ("hang", "drop") else answer.status
        response = self.send(answer)
        response.call_on_close(call.end)
        return response

    def _made(self, call: Call, image: bytes, fault: Fault | None, arrived: float) -> Answer:
        """What a fault answers by itself, or the edit; with the fault `wrong_format` in another format."""
        answer = fault.answer() if fault else None
        if answer is None:
            other = "jpeg" if call.output_format == "png" else "png"
            made = edit_of(image, call.prompt, other if fault else call.output_format)
            usage = usage_of(call.prompt, 1 + call.references, {"model": call.model, **call.fields})
            answer = edited(made, usage=usage)
        return replace(answer, delay=max(0.0, self.latency - (time.monotonic() - arrived)))

    def _scripted(self) -> Answer | None:
        return self._answers.popleft() if len(self._answers) > 1 else next(iter(self._answers), None)

    def _rate_limited(self) -> Answer | None:
        """Take the next slot of the rate limit, or refuse."""
        if not self.images_per_minute:
            return None
        now = time.monotonic()
        if now < self._next_slot:
            refusal = REFUSALS["rate_limit"]
            return replace(refusal, headers={"Retry-After": str(math.ceil(self._next_slot - now))})
        self._next_slot = now + 60 / self.images_per_minute
        return None

    def _fault_of(self, call: Call, image: bytes) -> Fault | None:
        """The first rule that fits, or what the prompt or the picture asks for."""
        for rule in self._faults:
            if rule.prompt in call.prompt and rule.filename in call.filename:
                if rule.times is not None:
                    rule.times -= 1
                    if rule.times == 0:
                        self._faults.remove(rule)
                return rule
        found = _MARKER.search(call.prompt)
        name = found[1] if found else None
        if name is None and b"fault\0" in image[:4096]:
            name = Image.open(BytesIO(image)).info.get("fault")
        return Fault(fault=name) if name in FAULTS else None


def _problem(request: Request, image: bytes, mask: bytes, known: frozenset[str]) -> str:
    """Say what a server would find wrong with a request; empty when it would find nothing."""
    if not request.headers.get("Authorization", "").startswith("Bearer "):
        return "You didn't provide an API key."
    form = request.form
    sent = {name.removesuffix("[]") for name in (*form, *request.files)}
    if unknown := sorted(sent - known):
        return f"Unknown parameter: {', '.join(unknown)}."
    if not image or not form.get("prompt"):
        return "Missing required parameter: 'image' and 'prompt' are needed, as multipart/form-data."
    shown, size = _read(image)
    if shown not in ("PNG", "JPEG", "WEBP"):
        return "Invalid image file or mode: only PNG, JPEG and WebP pictures are supported."
    if mask and _read(mask) != ("PNG", size):
        return "Invalid mask image format: it must be a PNG of the image's size."
    if (wanted := form.get("output_format", "png")) not in FORMATS:
        return f"Invalid value: '{wanted}'. Supported values are: {sorted(FORMATS)}."
    if wanted == "png" and "output_compression" in form:
        return "Invalid value: output_compression is supported for webp and jpeg only."
    return ""


def _read(picture: bytes) -> tuple[str | None, tuple[int, int] | None]:
    try:
        with Image.open(BytesIO(picture)) as opened:
            return opened.format, opened.size
    except (UnidentifiedImageError, OSError):
        return None, None


def main(port: int = 8081, latency: float = DEFAULT_LATENCY) -> None:
    """Stand in for OpenAI until the process is ended."""
    OpenAIStandIn(port, latency).run()


if __name__ == "__main__":
    typer.run(main)
