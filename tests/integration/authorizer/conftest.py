"""The authorizer as it is deployed, with a real issuer that it reaches over HTTP."""

import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from functions.authorizer import app
from tests.support.issuer import AUDIENCE, SCOPE, Issuer

METHOD_ARN = "arn:aws:execute-api:eu-central-1:123456789012:abc123/v1/POST/process-image-async"
CONTEXT = SimpleNamespace(
    function_name="authorizer", memory_limit_in_mb=1024, invoked_function_arn="arn", aws_request_id="request"
)
type Authorize = Callable[[str], dict[str, Any]]


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    """An issuer with keys of its own."""
    with Issuer() as running:
        yield running


@pytest.fixture
def configure(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets the function's environment anew, as a cold start finds it."""

    def set_up(**environment: str) -> None:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        app.settings.cache_clear()
        app.issuer_keys.cache_clear()

    set_up(JWT_ISSUER=issuer.url, JWT_AUDIENCE=f"https://other.example, {AUDIENCE}", JWT_SCOPE=SCOPE)
    return set_up


@pytest.fixture
def authorize(configure: Callable[..., None]) -> Authorize:
    """Invokes the function with a token."""

    def invoke(token: str) -> dict[str, Any]:
        event = {"type": "TOKEN", "authorizationToken": f"Bearer {token}", "methodArn": METHOD_ARN}
        return app.handler(event, CONTEXT)

    return invoke


@pytest.fixture
def claims(issuer: Issuer) -> dict[str, Any]:
    """The claims of a token that is taken."""
    now = int(time.time())
    return {"iss": issuer.url, "sub": "agent", "aud": AUDIENCE, "scope": SCOPE, "iat": now, "exp": now + 300}
