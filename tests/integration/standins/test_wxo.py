"""The stand-in for WXO, before a service that answers at once: were it lenient, its tests would prove nothing."""

import json
import queue
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import httpx2
import pytest
from werkzeug import Request, Response

from functions.accept.http.openapi import agent_document, wxo_document
from functions.accept.http.routes import ROUTES
from functions.accept.settings import AccessControl
from standins.server import Server, json_response
from standins.wxo import WxoStandIn, import_tools
from tests.support.waiting import PATIENCE

GOOD = {"status": "completed", "job_id": "1", "result_image_base64": "eA==", "result_mime_type": "image/png"}


class Service(Server):
    """Answers 202 and then posts `callback` to the caller; keeps what the caller sent and how it answered."""

    def __init__(self) -> None:
        super().__init__()
        self.callback: Any = GOOD
        self.content_type = "application/json"
        self.acknowledgement: Any = {"accepted": True, "job_id": "1"}
        self.seen: dict[str, str] = {}
        self.answers: queue.Queue[int] = queue.Queue()

    def answer(self, request: Request) -> Response:
        self.seen = {name.lower(): value for name, value in request.headers.items()}
        response = json_response(self.acknowledgement, 202)
        response.call_on_close(lambda: self.deliver(self.seen["callbackurl"]))
        return response

    def deliver(self, url: str) -> None:
        headers = {"Content-Type": self.content_type}
        self.answers.put(
            httpx2.post(url, content=json.dumps(self.callback), headers=headers, timeout=PATIENCE).status_code
        )


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as made:
        yield made


@pytest.fixture
def standin(service: Service) -> Iterator[WxoStandIn]:
    with WxoStandIn(wxo_document(ROUTES, service.base_url, access=AccessControl.API_KEY), api_key="the-key") as made:
        yield made


def edit(standin: WxoStandIn) -> Any:
    return standin.call("processImageAsyncToBase64", prompt="x", image_base64="eA==", timeout=PATIENCE)


def test_a_good_callback_is_taken(standin: WxoStandIn, service: Service) -> None:
    result = edit(standin)

    assert result.callback == GOOD
    assert result.acknowledgement == {"accepted": True, "job_id": "1"}
    assert service.seen["x-api-key"] == "the-key"


@pytest.mark.parametrize(
    "callback",
    [
        pytest.param({**GOOD, "extra": 1}, id="undeclared"),
        pytest.param({"status": "completed"}, id="missing"),
        pytest.param({**GOOD, "job_id": 1}, id="mistyped"),
        pytest.param({**GOOD, "filename": None}, id="null"),
        pytest.param({**GOOD, "status": "done"}, id="not in the enum"),
        pytest.param([], id="no object"),
    ],
)
def test_a_bad_callback_is_refused(standin: WxoStandIn, service: Service, callback: Any) -> None:
    service.callback = callback

    with pytest.raises(ValueError, match="the callback of processImageAsyncToBase64"):
        edit(standin)

    assert service.answers.get(timeout=PATIENCE) == 400


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("content_type", "text/plain", "the callback is text/plain, not application/json"),
        ("acknowledgement", {"job_id": "1"}, "the acknowledgement of"),
    ],
)
def test_what_else_is_not_as_declared_is_refused(
    standin: WxoStandIn, service: Service, name: str, value: Any, message: str
) -> None:
    setattr(service, name, value)

    with pytest.raises(ValueError, match=message):
        edit(standin)


def test_an_argument_that_the_schema_refuses_is_not_sent(standin: WxoStandIn, service: Service) -> None:
    with pytest.raises(ValueError, match="the arguments"):
        standin.call("processImageAsyncToBase64", image_base64="eA==")

    assert service.seen == {}


def test_a_callback_that_never_comes_is_said(standin: WxoStandIn, service: Service) -> None:
    service.deliver = lambda url: None  # type: ignore[method-assign]

    with pytest.raises(TimeoutError, match="would hang"):
        standin.call("processImageAsyncToBase64", prompt="x", image_base64="eA==", timeout=0.2)


@pytest.mark.parametrize(
    ("answer", "message"),
    [({"jobs": []}, None), ({"jobs": [{"job_id": "1"}]}, "the answer of listJobs"), ({}, "the answer of listJobs")],
)
def test_a_synchronous_tool_is_answered_at_once_and_as_declared(answer: Any, message: str | None) -> None:
    asked = []

    class AtOnce(Server):
        def answer(self, request: Request) -> Response:
            asked.append((request.path, dict(request.args), request.headers.get("callbackUrl")))
            return json_response(answer)

    with (
        AtOnce() as service,
        WxoStandIn(agent_document(ROUTES, service.base_url, access=AccessControl.OPEN)) as standin,
        pytest.raises(ValueError, match=message) if message else nullcontext(),
    ):
        assert standin.ask("listJobs", limit=5, status="running") == answer

    assert asked == [("/jobs", {"limit": "5", "status": "running"}, None)]


@pytest.mark.parametrize(
    ("hurt", "message"),
    [
        (lambda document, _: document.update(openapi="3.1.0"), "3.0 alone"),
        (lambda _, operation: operation["parameters"][0].update(name="callbackurl"), "spelled callbackUrl"),
        (
            lambda _, operation: operation["callbacks"]["result"]["{$request.header.callbackUrl}"]["post"][
                "responses"
            ].pop("202"),
            "no answer 202",
        ),
    ],
)
def test_a_document_that_wxo_would_take_wrongly_is_refused(hurt: Any, message: str) -> None:
    document = json.loads(json.dumps(wxo_document(ROUTES, "https://api.example/v1", access=AccessControl.OPEN)))
    hurt(document, document["paths"]["/batch-process-images"]["post"])

    with pytest.raises(ValueError, match=message):
        import_tools(document)
