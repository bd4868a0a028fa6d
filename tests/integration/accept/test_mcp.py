"""POST /mcp: the Model Context Protocol, held to the types of its official Python SDK."""

import json
from typing import Any
from uuid import uuid4

import boto3
import mcp_types
import pytest
from mcp_types.methods import validate_server_result
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS

from functions.accept.http.routes import ROUTES
from functions.accept.mcp.server import HANDSHAKE_VERSIONS, MODERN_VERSION
from functions.accept.mcp.tools import TOOLS
from imagejobs.callbacks import UrlCallback
from imagejobs.job_store import JobStore
from tests.integration.accept.conftest import Answered, Api
from tests.integration.accept.test_retry import end
from tests.integration.conftest import SECRETS

META = {
    mcp_types.PROTOCOL_VERSION_META_KEY: MODERN_VERSION,
    mcp_types.CLIENT_CAPABILITIES_META_KEY: {},
}


@pytest.fixture
def api(stack: dict[str, str]) -> Api:
    """An API that waits for no job."""
    return Api(stack | {"MAX_WAIT_SECONDS": "0"})


def ask(api: Api, method: str, params: dict[str, Any] | None = None, **headers: str) -> Answered:
    """Send a request as a client of 2025-11-25 does."""
    message = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params or {}}
    return api("POST", "/mcp", message, **{"MCP-Protocol-Version": HANDSHAKE_VERSIONS[-1], **headers})


def ask_modern(api: Api, method: str, params: dict[str, Any] | None = None, **headers: str) -> Answered:
    """Send a request as a client of 2026-07-28 does."""
    message = {"jsonrpc": "2.0", "id": "a", "method": method, "params": {"_meta": META, **(params or {})}}
    named = {"Mcp-Name": params["name"]} if params and "name" in params else {}
    sent = {"MCP-Protocol-Version": MODERN_VERSION, "Mcp-Method": method} | named | headers
    return api("POST", "/mcp", message, **sent)


def call(api: Api, tool: str, headers: dict[str, str] | None = None, **arguments: Any) -> dict[str, Any]:
    """Call a tool; answers its result."""
    answered = ask(api, "tools/call", {"name": tool, "arguments": arguments}, **(headers or {}))
    assert answered.status == 200
    result: dict[str, Any] = answered.body["result"]
    for version in HANDSHAKE_PROTOCOL_VERSIONS:
        validate_server_result("tools/call", version, result)
    return result


def uploaded(api: Api, store: JobStore) -> str:
    form = call(api, "create_upload", filename="a.png", content_type="image/png", size=3)["structuredContent"]
    store.bucket.put(form["image_key"], b"png", "image/png")
    return str(form["image_key"])


class TestProtocol:
    def test_it_speaks_every_revision_that_the_official_types_know(self) -> None:
        assert (HANDSHAKE_VERSIONS, (MODERN_VERSION,)) == (HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS)

    @pytest.mark.parametrize(
        ("asked", "spoken"),
        [*((version, version) for version in HANDSHAKE_VERSIONS), ("1999-01-01", "2025-11-25"), (None, "2025-11-25")],
    )
    def test_a_handshake_agrees_on_the_clients_revision_or_the_newest(
        self, api: Api, asked: str | None, spoken: str
    ) -> None:
        message = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {"protocolVersion": asked}}
        answered = api("POST", "/mcp", message)

        assert (answered.status, answered.body["id"]) == (200, 0)
        assert answered.body["result"]["protocolVersion"] == spoken
        validate_server_result("initialize", spoken, answered.body["result"])
        assert "Mcp-Session-Id" not in answered.headers
        assert ask(api, "ping").body["result"] == {}

    def test_a_notification_is_taken_without_an_answer(self, api: Api) -> None:
        told = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        for headers in ({}, {"MCP-Protocol-Version": MODERN_VERSION}):
            answered = api("POST", "/mcp", told, **headers)
            assert (answered.status, answered.body) == (202, "")
        refused = api("POST", "/mcp", told, **{"MCP-Protocol-Version": "1999-01-01"})
        assert (refused.status, refused.body["error"]["code"]) == (400, mcp_types.UNSUPPORTED_PROTOCOL_VERSION)

    def test_the_newest_revision_needs_no_handshake(self, api: Api) -> None:
        found = ask_modern(api, "server/discover").body["result"]
        listed = ask_modern(api, "tools/list").body["result"]
        called = ask_modern(api, "tools/call", {"name": "list_models"}).body["result"]

        for method, result in (("server/discover", found), ("tools/list", listed), ("tools/call", called)):
            validate_server_result(method, MODERN_VERSION, result)
            assert result["_meta"][mcp_types.SERVER_INFO_META_KEY]["name"] == "wxo-image-jobs"
        assert MODERN_VERSION in found["supportedVersions"]
        # What came with a handshake before.
        assert ask_modern(api, "ping").status == 404

    @pytest.mark.parametrize(
        ("headers", "meta", "code"),
        [
            ({"Mcp-Method": "tools/list"}, META, mcp_types.HEADER_MISMATCH),
            ({"Mcp-Name": "get_job"}, META, mcp_types.HEADER_MISMATCH),
            ({"MCP-Protocol-Version": "2099-01-01"}, META, mcp_types.HEADER_MISMATCH),
            ({}, {}, mcp_types.INVALID_PARAMS),
            ({}, None, mcp_types.INVALID_PARAMS),
            (
                {"MCP-Protocol-Version": "2099-01-01"},
                META | {mcp_types.PROTOCOL_VERSION_META_KEY: "2099-01-01"},
                mcp_types.UNSUPPORTED_PROTOCOL_VERSION,
            ),
        ],
    )
    def test_a_request_that_contradicts_itself_is_refused(
        self, api: Api, headers: dict[str, str], meta: object, code: int
    ) -> None:
        answered = ask_modern(api, "tools/call", {"name": "list_models", "_meta": meta}, **headers)

        assert (answered.status, answered.body["id"], answered.body["error"]["code"]) == (400, "a", code)
        if code == mcp_types.UNSUPPORTED_PROTOCOL_VERSION:
            assert MODERN_VERSION in answered.body["error"]["data"]["supported"]

    def test_an_unknown_method_and_an_unknown_tool_are_errors_of_the_protocol(self, api: Api) -> None:
        for method, params, code, status in (
            ("resources/list", {}, mcp_types.METHOD_NOT_FOUND, 404),
            ("tools/call", {"name": "make_coffee"}, mcp_types.INVALID_PARAMS, 400),
            ("tools/call", {"name": "get_job", "arguments": ["x"]}, mcp_types.INVALID_PARAMS, 400),
        ):
            old, new = ask(api, method, params), ask_modern(api, method, params)
            assert (old.status, old.body["error"]["code"]) == (200, code)
            assert (new.status, new.body["error"]["code"]) == (status, code)

    @pytest.mark.parametrize("body", ["[]", "{", '{"jsonrpc": "2.0"}', '{"jsonrpc": "1.0", "id": 1, "method": "ping"}'])
    def test_what_is_no_message_is_refused_like_every_other_body(self, api: Api, body: str) -> None:
        assert api("POST", "/mcp", body).status == 422

    @pytest.mark.parametrize("given", ["1.5", "true", "[1]", "{}"])
    def test_an_id_of_another_kind_is_told_once(self, api: Api, given: str) -> None:
        answered = api("POST", "/mcp", f'{{"jsonrpc": "2.0", "id": {given}, "method": "ping"}}')

        (problem,) = answered.body["detail"]
        assert (answered.status, problem["loc"]) == (422, ["body", "id"])
        assert problem["msg"] == "expected a whole number or a text"

    @pytest.mark.parametrize("method", ["GET", "DELETE"])
    def test_there_are_no_streams_and_no_sessions(self, api: Api, method: str) -> None:
        answered = api(method, "/mcp")
        assert (answered.status, answered.headers["Allow"]) == (405, "OPTIONS, POST")

    def test_pages_of_other_origins_are_refused(self, stack: dict[str, str]) -> None:
        api = Api(stack | {"CORS_ALLOW_ORIGINS": "https://console.example"})

        assert ask(api, "ping", Origin="https://evil.example").status == 403
        assert ask(api, "ping", Origin="null").status == 403
        for origin in ("https://api.example", "https://console.example"):
            assert ask(api, "ping", Origin=origin).status == 200

    def test_the_workshop_token_is_asked_for(self, stack: dict[str, str]) -> None:
        boto3.client("secretsmanager").put_secret_value(
            SecretId=stack["SECRET_ARN"], SecretString=json.dumps(SECRETS | {"WORKSHOP_TOKEN": "open sesame"})
        )
        api = Api(stack)

        assert ask(api, "tools/list").status == 401
        assert ask(api, "tools/list", x_workshop_token="open sesame").status == 200


class TestTools:
    def test_every_tool_is_a_route_and_told_with_what_it_takes_and_gives(self, api: Api) -> None:
        result = ask(api, "tools/list").body["result"]
        for version in HANDSHAKE_PROTOCOL_VERSIONS:
            validate_server_result("tools/list", version, result)

        tools = {tool["name"]: tool for tool in result["tools"]}
        assert {tool.operation_id for tool in TOOLS} <= {route.operation_id for route in ROUTES}
        assert list(tools) == [tool.name for tool in TOOLS]
        assert tools["edit_image"]["inputSchema"]["required"] == ["prompt"]
        assert tools["edit_image"]["outputSchema"]["required"] == ["job_id"]
        assert tools["get_job"]["inputSchema"]["required"] == ["job_id"]
        assert tools["get_job"]["annotations"]["readOnlyHint"] is True

    def test_a_job_is_started_read_and_listed(self, api: Api, store: JobStore) -> None:
        key = uploaded(api, store)
        started = call(api, "edit_image", prompt="make it blue", image_key=key, filename="a.png", size="")
        job_id = started["structuredContent"]["job_id"]

        assert (started["isError"], started["structuredContent"]) == (False, {"accepted": True, "job_id": job_id})
        assert "get_job" in started["content"][0]["text"]
        request = store.get_request(job_id)
        assert (request.operation, request.callback_url, request.image_key) == ("url", None, key)
        assert call(api, "get_job", job_id=job_id)["structuredContent"]["status"] in ("queued", "running")
        assert call(api, "list_jobs", limit=5)["structuredContent"]["jobs"][0]["job_id"] == job_id

        store.decide(job_id, UrlCallback(status="failed", job_id=job_id, error="too dark").to_json())
        ended = call(api, "get_job", job_id=job_id)
        assert (ended["isError"], ended["structuredContent"]["status"]) == (False, "failed")
        assert ended["content"][0]["text"] == f"The job {job_id} is failed. too dark"

    def test_a_call_that_is_repeated_with_its_idempotency_key_is_one_job_and_any_other_is_refused(
        self, api: Api, store: JobStore
    ) -> None:
        picture = {"prompt": "p", "image_url": "https://pictures.example/cat.png"}
        edit: dict[str, Any] = picture | {"idempotency_key": "mine-1"}
        first, again = call(api, "edit_image", **edit), call(api, "edit_image", **edit)
        by_http = api(
            "POST",
            "/process-image-async",
            picture,
            Prefer="respond-async",
            Idempotency_Key="mine-1",
        )

        assert first["structuredContent"] == again["structuredContent"] == by_http.body
        for tool, arguments in (
            ("edit_image", edit | {"prompt": "q"}),
            ("edit_folder", {"prompt": "p", "idempotency_key": "mine-1"}),
        ):
            refused = call(api, tool, **arguments)
            assert refused["isError"] is True
            assert refused["content"][0]["text"].startswith("this idempotency_key was used with another request")
        assert len({key.split("/")[1] for key, _ in store.bucket.keys("jobs/")}) == 1
        assert (
            call(api, "edit_image", **edit | {"idempotency_key": "mine-2"})["structuredContent"]["job_id"]
            != (first["structuredContent"]["job_id"])
        )

    def test_a_folders_failed_images_are_edited_again_once_for_an_idempotency_key(
        self, api: Api, store: JobStore
    ) -> None:
        job_id = call(api, "edit_folder", prompt="p")["structuredContent"]["job_id"]
        end(store, job_id, "completed_with_errors", 1, 2)
        again = {"job_id": job_id, "idempotency_key": "retry-1"}

        first = call(api, "retry_failed", **again)["structuredContent"]
        assert first["job_id"] != job_id
        assert call(api, "retry_failed", **again)["structuredContent"] == first

    def test_a_folders_job_is_started_without_waiting(self, api: Api, store: JobStore) -> None:
        job_id = call(api, "edit_folder", prompt="p", prefix="shoes", dry_run=True)["structuredContent"]["job_id"]

        assert store.get_request(job_id).operation == "batch"

    def test_a_job_is_cancelled_by_the_key_that_started_it(self, api: Api, store: JobStore) -> None:
        mine, anothers = {"x-api-key": "one"}, {"x-api-key": "two"}
        edit = {"prompt": "p", "image_url": "https://pictures.example/cat.png"}
        job_id = call(api, "edit_image", mine, **edit)["structuredContent"]["job_id"]

        assert call(api, "cancel_job", anothers, job_id=job_id)["isError"] is True
        cancelled = call(api, "cancel_job", mine, job_id=job_id)
        assert cancelled["structuredContent"] == {"accepted": True, "job_id": job_id}
        assert "cancelled" in cancelled["content"][0]["text"]
        assert call(api, "get_job", mine, job_id=job_id)["structuredContent"]["status"] == "cancelled"

    @pytest.mark.parametrize(
        ("tool", "arguments", "told"),
        [
            ("edit_image", {"prompt": "p"}, "expected exactly one of image_key and image_url; got none"),
            ("edit_image", {"prompt": "p", "image_url": "http://127.0.0.1/"}, "image_url: the URL"),
            ("edit_image", {"prompt": "p", "image_base64": "aGk="}, "unknown arguments: image_base64"),
            ("edit_image", {"prompt": 5, "image_key": "x"}, "prompt: "),
            ("edit_folder", {"prompt": "p", "max_files": 0}, "max_files: "),
            ("edit_folder", {"prompt": "p", "idempotency_key": "a b"}, "idempotency_key: expected 1 to 255"),
            ("edit_folder", {"prompt": "p", "idempotency_key": 0}, "idempotency_key: "),
            ("get_job", {}, "job_id: Field required"),
            ("get_job", {"job_id": "no"}, "job_id: expected a UUID"),
            ("get_job", {"job_id": str(uuid4())}, "there is no job"),
            ("retry_failed", {"job_id": str(uuid4())}, "there is no job"),
            ("list_jobs", {"limit": 1000}, "limit: "),
            ("list_models", {"x": 1}, "takes: none"),
        ],
    )
    def test_a_refusal_is_a_result_that_tells_the_model_why(
        self, api: Api, tool: str, arguments: dict[str, Any], told: str
    ) -> None:
        result = call(api, tool, **arguments)

        assert (result["isError"], "structuredContent" in result) == (True, False)
        assert told in result["content"][0]["text"]

    def test_a_failure_behind_the_api_is_a_result_too(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        def fails(*_: object) -> None:
            raise RuntimeError("secret inside")

        monkeypatch.setattr(api.resources.job_reader, "read", fails)
        result = call(api, "get_job", job_id=str(uuid4()))

        assert result["isError"] is True
        assert "secret inside" not in str(result)
