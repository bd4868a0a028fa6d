"""A stand-in for OpenAI that speaks `POST /v1/images/edits`, makes edits that can be seen, and fails on demand.

`python -m local.openai_standin --port 8081` runs it by itself; tests may run it in their own process.

A fault is asked for in one of two ways:
- by a rule: `POST /_control/faults` with a `Fault`; the first that fits a request and has some `times` left is taken;
- by the request itself: a prompt that holds `[fault:rate_limit]`, or a PNG with a text chunk `fault` of that value.

`GET /_control/calls` lists the edits asked for, `PUT /_control/latency` sets the seconds an edit takes,
`POST /_control/reset` forgets the calls and the rules.
"""

import base64
import re
import threading
import time
from dataclasses import asdict, dataclass, field
from io import BytesIO
from typing import Annotated, Any, Self, cast

import typer
from PIL import Image, UnidentifiedImageError
from pydantic import BaseModel
from werkzeug.formparser import parse_form_data

from local.edits import FORMATS, edited
from local.http_server import Handler, Server
from local.openai_faults import FAULTS, REFUSALS, Fault, Refusal

_CONTROL = "/_control/"
_EDITS = "/v1/images/edits"
DEFAULT_LATENCY = 0.5
_MARKER = re.compile(r"\[fault:(\w+)\]")


@dataclass
class Call:
    """An edit that was asked for. `status` is the answer's, 0 for none; `ended_at` is None while it is under way."""

    prompt: str
    filename: str
    model: str
    output_format: str
    bytes_in: int
    started_at: float
    fault: str | None = None
    status: int = 0
    ended_at: float | None = None


class _BadRequestError(Exception):
    pass


@dataclass
class _EditRequest:
    prompt: str
    image: bytes
    filename: str
    model: str
    output_format: str


@dataclass
class OpenAIStandIn:
    """The stand-in; a context manager. `latency` is the seconds from a request's arrival to its answer."""

    port: int = 0
    latency: float = DEFAULT_LATENCY
    calls: list[Call] = field(default_factory=list)
    _faults: list[Fault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._server = Server(self.port, _StandInHandler, self)

    @property
    def base_url(self) -> str:
        """What the OpenAI SDK takes as its `base_url`."""
        return f"{self._server.url}/v1"

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.__exit__()

    def fail(self, fault: str, **options: Any) -> None:
        """Add a rule; see `Fault`."""
        with self._lock:
            self._faults.append(Fault(fault=fault, **options))

    def reset(self) -> None:
        """Forget the calls and the rules."""
        with self._lock:
            self.calls.clear()
            self._faults.clear()

    def begin(self, request: _EditRequest) -> tuple[Call, Fault | None]:
        with self._lock:
            fault = self._rule_for(request) or _asked_for(request)
            call = Call(
                request.prompt,
                request.filename,
                request.model,
                request.output_format,
                len(request.image),
                time.time(),
                fault.fault if fault else None,
            )
            self.calls.append(call)
            return call, fault

    def _rule_for(self, request: _EditRequest) -> Fault | None:
        for rule in self._faults:
            if rule.prompt in request.prompt and rule.filename in request.filename:
                if rule.times is not None:
                    rule.times -= 1
                    if rule.times == 0:
                        self._faults.remove(rule)
                return rule
        return None


def _asked_for(request: _EditRequest) -> Fault | None:
    """The fault that the prompt or the picture asks for."""
    found = _MARKER.search(request.prompt)
    name = found.group(1) if found else None
    if name is None and b"fault\0" in request.image[:4096]:
        name = Image.open(BytesIO(request.image)).info.get("fault")
    return Fault(fault=name) if name in FAULTS else None


class _StandInHandler(Handler):
    @property
    def standin(self) -> OpenAIStandIn:
        return cast(OpenAIStandIn, self.server.owner)

    def _serve(self) -> None:
        arrived = time.monotonic()
        if self.path.startswith(_CONTROL):
            self._control(self.path.removeprefix(_CONTROL))
        elif (self.command, self.path) != ("POST", _EDITS):
            self.body()
            self._refuse(Refusal(404, "invalid_request_error", "unknown_url", f"Unknown URL ({self.path})"))
        else:
            self._edit(arrived)

    do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 - the base class's names

    def _edit(self, arrived: float) -> None:
        try:
            request = self._request()
        except _BadRequestError as error:
            self._refuse(Refusal(400, "invalid_request_error", "invalid_value", str(error)))
            return
        call, fault = self.standin.begin(request)
        try:
            self._answer(request, call, fault, arrived)
        finally:
            call.ended_at = time.time()

    def _answer(self, request: _EditRequest, call: Call, fault: Fault | None, arrived: float) -> None:
        if fault is not None and fault.fault == "hang":
            self.hang(fault.seconds)
            return
        refusal = REFUSALS.get(fault.fault) if fault else None
        payload = b"" if refusal else _good_or_bad(request, fault.fault if fault else None)
        self.server.closing.wait(max(0.0, self.standin.latency - (time.monotonic() - arrived)))
        if fault is not None and fault.fault == "drop":
            self.drop()
        elif refusal is not None:
            call.status = refusal.status
            self._refuse(refusal, fault.retry_after if fault else None)
        else:
            call.status = 200
            self.reply(200, payload, {"Content-Type": "application/json", "x-request-id": f"req_{id(call):x}"})

    def _request(self) -> _EditRequest:
        if not self.headers.get("Authorization", "").startswith("Bearer "):
            self.body()
            raise _BadRequestError("You didn't provide an API key.")
        environ = {
            "REQUEST_METHOD": "POST",
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": self.headers.get("Content-Length", "0"),
            "wsgi.input": BytesIO(self.body()),
        }
        _, form, files = parse_form_data(environ, silent=True)
        image = files.get("image") or files.get("image[]")
        if image is None or not form.get("prompt"):
            raise _BadRequestError(
                "Missing required parameter: 'image' and 'prompt' are needed, as multipart/form-data."
            )
        content = image.stream.read()
        _check_image(content)
        output_format = form.get("output_format", "png")
        if output_format not in FORMATS:
            raise _BadRequestError(f"Invalid value: '{output_format}'. Supported values are: {sorted(FORMATS)}.")
        return _EditRequest(form["prompt"], content, image.filename or "", form.get("model", ""), output_format)

    def _refuse(self, refusal: Refusal, retry_after: float | None = None) -> None:
        headers = {"Retry-After": f"{retry_after:g}"} if retry_after is not None else {}
        self.reply_json(refusal.status, refusal.body(), headers)

    def _control(self, action: str) -> None:
        body = self.body()
        try:
            self._steer(action, body)
        except ValueError as error:  # pydantic's refusal of a fault among them
            self.reply_json(422, {"detail": str(error)})

    def _steer(self, action: str, body: bytes) -> None:
        match self.command, action:
            case "GET", "calls":
                self.reply_json(200, [asdict(call) for call in list(self.standin.calls)])
                return
            case "POST", "faults":
                self.standin.fail(**Fault.model_validate_json(body).model_dump())
            case "POST", "reset":
                self.standin.reset()
            case "PUT", "latency":
                self.standin.latency = float(body)
            case _:
                self.reply_json(404, {"detail": f"no such control: {self.command} {action}"})
                return
        self.reply(204)


def _check_image(content: bytes) -> None:
    try:
        with Image.open(BytesIO(content)) as image:
            found = image.format
    except (UnidentifiedImageError, OSError):
        found = None
    if found not in ("PNG", "JPEG", "WEBP"):
        raise _BadRequestError("Invalid image file or mode: only PNG, JPEG and WebP pictures are supported.")


def _good_or_bad(request: _EditRequest, fault: str | None) -> bytes:
    """The answer's JSON, with an image as the request asked for or as the fault has it."""
    if fault == "empty":
        return _images_response([], request)
    if fault == "null_data":
        return _images_response(None, request)
    if fault == "not_base64":
        return _images_response(["!no base64!"], request)
    if fault == "garbage_image":
        return _images_response([base64.b64encode(b"this is no image" * 64).decode()], request)
    wanted = request.output_format
    if fault == "wrong_format":
        wanted = "jpeg" if wanted == "png" else "png"
    return _images_response([base64.b64encode(edited(request.image, request.prompt, wanted)).decode()], request)


def _images_response(images: list[str] | None, request: _EditRequest) -> bytes:
    """An `ImagesResponse` as the SDK's types have it."""
    usage = {
        "input_tokens": 323,
        "input_tokens_details": {"image_tokens": 323 - 15, "text_tokens": 15},
        "output_tokens": 1056,
        "total_tokens": 1379,
    }
    response = _Response(
        created=int(time.time()),
        data=None if images is None else [{"b64_json": image} for image in images],
        output_format=request.output_format,
        usage=usage,
    )
    return response.model_dump_json().encode()


class _Response(BaseModel):
    created: int
    data: list[dict[str, str]] | None
    output_format: str
    usage: dict[str, Any]


def main(
    port: Annotated[int, typer.Option(help="The port to listen on.")] = 8081,
    latency: Annotated[float, typer.Option(help="Seconds that an edit takes.")] = DEFAULT_LATENCY,
) -> None:
    """Stand in for OpenAI until the process is ended."""
    with OpenAIStandIn(port, latency) as standin:
        print(f"OpenAI stand-in on {standin.base_url}", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    typer.run(main)
