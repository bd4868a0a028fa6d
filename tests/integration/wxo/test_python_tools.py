"""The Python tools in the development kit, between WXO's files and a service that answers as this one does."""

import base64
from collections.abc import Iterator

import pytest
from werkzeug import Request, Response

from standins.server import Server, json_response
from standins.wxo import WxoStandIn
from tests.support.adk import Kit, Tools
from tests.support.pictures import picture

JOB_ID = "5f0c1d9e-6f3a-4c3b-9b1e-0a4d6c7e8f90"
REFUSAL = {"detail": [{"loc": ["body", "size"], "msg": "Input should be less than or equal to 50000000", "type": "x"}]}


class Service(Server):
    """Takes one upload and has the results of some jobs."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, str | None]] = []
        self.uploaded = b""
        self.refuses = False

    def answer(self, request: Request) -> Response:
        self.asked.append((request.path, request.headers.get("x-api-key") or request.headers.get("Authorization")))
        if request.path == "/uploads" and self.refuses:
            return json_response(REFUSAL, 422)
        if request.path == "/uploads":
            form = {"key": "k", "Content-Type": request.get_json()["content_type"]}
            return json_response(
                {"image_key": "k", "url": f"{self.base_url}/form", "fields": form, "expires_in": 9}, 201
            )
        if request.path == "/form":
            self.uploaded = request.files["file"].read()
            return Response(status=204 if request.form["key"] == "k" else 400)
        if request.path == f"/jobs/{JOB_ID}":
            return json_response({"status": "completed", "result": {"result_url": f"{self.base_url}/result"}})
        if request.path == "/result":
            return Response(picture())
        if request.path.startswith("/jobs/running"):
            return json_response({"status": "running"})
        return json_response({"detail": "there is no such job"}, 404)


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with Service() as made:
        yield made


@pytest.fixture(scope="module")
def files() -> Iterator[WxoStandIn]:
    with WxoStandIn() as made:
        yield made


@pytest.fixture(scope="module")
def tools(adk: Kit, service: Service) -> Iterator[Tools]:
    with adk.tools(scheme="api_key_auth", api_key="the-key", url=f"{service.base_url}/") as made:
        yield made


def test_a_file_is_uploaded_with_the_connections_address_and_key(
    tools: Tools, service: Service, files: WxoStandIn
) -> None:
    image = files.keep_file("die see.png", "image/png", picture(colour="navy"))

    answer = tools.call("upload_image", image=image)

    assert answer == {"value": {"image_key": "k", "filename": "die see.png", "error": ""}}
    assert service.uploaded == picture(colour="navy")
    # The storage is sent no key of the service's.
    assert service.asked[-2:] == [("/uploads", "the-key"), ("/form", None)]


def test_a_file_of_another_type_is_refused_before_anything_is_sent(
    tools: Tools, service: Service, files: WxoStandIn
) -> None:
    before = len(service.asked)

    answer = tools.call("upload_image", image=files.keep_file("a.pdf", "application/pdf", b"%PDF"))

    assert answer["value"]["image_key"] == ""
    assert answer["value"]["error"].startswith("a.pdf is not an image of a supported type: expected png, jpg")
    assert len(service.asked) == before


def test_what_the_service_refuses_is_told_in_its_own_sentence(
    tools: Tools, service: Service, files: WxoStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "refuses", True)

    answer = tools.call("upload_image", image=files.keep_file("a.png", "image/png", picture()))

    assert answer["value"]["error"] == f"The service answered 422: {REFUSAL['detail'][0]['msg']}."


def test_a_result_comes_back_as_a_file(tools: Tools, service: Service) -> None:
    answer = tools.call("fetch_result", job_id=JOB_ID)

    assert base64.b64decode(answer["file"]) == picture()
    assert service.asked[-2:] == [(f"/jobs/{JOB_ID}", "the-key"), ("/result", None)]


@pytest.mark.parametrize(
    ("job_id", "message"),
    [
        ("running", "Job running has no image to fetch: its status is running"),
        ("../health", "The service answered 404: there is no such job."),
    ],
)
def test_a_job_without_an_image_is_said(tools: Tools, job_id: str, message: str) -> None:
    assert message in tools.call("fetch_result", job_id=job_id)["error"]


def test_a_connection_without_an_address_is_said(adk: Kit) -> None:
    with adk.tools(scheme="api_key_auth", api_key="the-key") as tools:
        assert "has no server URL" in tools.call("fetch_result", job_id=JOB_ID)["error"]


@pytest.mark.parametrize(
    ("connection", "sent"),
    [
        ({"scheme": "oauth2", "access_token": "a-token"}, "Bearer a-token"),
        ({"scheme": "key_value_creds"}, None),
    ],
)
def test_bearer_tokens_and_open_stacks_are_served_too(
    adk: Kit, service: Service, connection: dict[str, str], sent: str | None
) -> None:
    with adk.tools(url=service.base_url, **connection) as tools:
        assert "file" in tools.call("fetch_result", job_id=JOB_ID)

    assert service.asked[-2:] == [(f"/jobs/{JOB_ID}", sent), ("/result", None)]
