"""The API as its callers see it, behind events as API Gateway sends them."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import pytest

from functions.accept.http.router import build_api
from functions.accept.resources import AcceptResources
from functions.accept.settings import AcceptSettings
from tests.support.context import Context
from tests.support.pictures import picture

CALLBACK_URL = "https://receiver.example/callback?token=s3cret"


@dataclass(frozen=True)
class Answered:
    """An answer of the API."""

    status: int
    body: Any
    headers: dict[str, str]


def once_before(monkeypatch: pytest.MonkeyPatch, owner: Any, method: str, happens: Callable[[], object]) -> None:
    """Have something happen just before the first call of a method: what another request does meanwhile."""
    original = getattr(owner, method)

    def overtaken(*arguments: Any, **named: Any) -> Any:
        monkeypatch.setattr(owner, method, original)
        happens()
        return original(*arguments, **named)

    monkeypatch.setattr(owner, method, overtaken)


def event(method: str, path: str, body: object | None, headers: dict[str, str]) -> dict[str, Any]:
    """A REST API's proxy event, to the fields that AWS documents; a body of bytes as of a binary media type.

    `path` may have a query.
    """
    path, _, asked = path.partition("?")
    query = dict(parse_qsl(asked, keep_blank_values=True)) or None
    if isinstance(body, bytes):
        text: str | None = base64.b64encode(body).decode()
    else:
        text = body if body is None or isinstance(body, str) else json.dumps(body)
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": {"Host": "api.example", "X-Forwarded-Proto": "https", **headers},
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": query,
        "multiValueQueryStringParameters": {name: [value] for name, value in query.items()} if query else None,
        "pathParameters": {"proxy": path.strip("/")},
        "stageVariables": None,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "api",
            "domainName": "api.example",
            "httpMethod": method,
            "path": f"/v1{path}",
            "stage": "v1",
            "requestId": "request",
            "identity": {"sourceIp": "192.0.2.1", "apiKey": headers.get("x-api-key"), "apiKeyId": _key_id(headers)},
        },
        "body": text,
        "isBase64Encoded": isinstance(body, bytes),
    }


def _key_id(headers: dict[str, str]) -> str | None:
    """The id of the key that API Gateway has checked."""
    return f"id-of-{headers['x-api-key']}" if "x-api-key" in headers else None


class Api:
    """The API of a stack, in an execution environment of its own."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.resources = AcceptResources(AcceptSettings.from_environment(environment))
        self._resolver = build_api(self.resources)

    def __call__(self, method: str, path: str, body: object | None = None, **headers: str) -> Answered:
        """Call a route; a header's underscores stand for hyphens."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self._resolver.resolve(event(method, path, body, named), Context())
        text = answer.get("body") or ""
        is_json = any("json" in value for value in answer["multiValueHeaders"].get("Content-Type", []))
        return Answered(
            status=answer["statusCode"],
            body=json.loads(text) if is_json and text else text,
            headers={name: values[0] for name, values in answer["multiValueHeaders"].items()},
        )

    def post(self, path: str, body: object, **headers: str) -> Answered:
        """Post with a callbackUrl."""
        return self("POST", path, body, **{"callbackUrl": CALLBACK_URL, **headers})


@pytest.fixture
def api(stack: dict[str, str]) -> Api:
    """The API of a stack without any job."""
    return Api(stack)


@pytest.fixture
def image_body() -> dict[str, str]:
    """The body of a single-image job."""
    return {"prompt": "make it blue", "filename": "cat.png", "image_base64": base64.b64encode(picture()).decode()}


@pytest.fixture
def job_id(api: Api, image_body: dict[str, str]) -> str:
    """A base64 job under way."""
    return str(api.post("/process-image-async-b64", image_body).body["job_id"])
