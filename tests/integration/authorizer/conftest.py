"""The authorizer as it is deployed, with a real issuer that it reaches over HTTP."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from functions.authorizer import app
from functions.authorizer import issuer as issuer_keys
from functions.authorizer.resources import AuthorizerResources
from functions.authorizer.settings import AuthorizerSettings
from tests.support.context import Context
from tests.support.issuer import AUDIENCE, SCOPE, Issuer
from tests.support.waiting import PATIENCE

METHOD_ARN = "arn:aws:execute-api:eu-central-1:123456789012:abc123/v1/POST/process-image-async"

type Authorize = Callable[[str], dict[str, Any]]
type Configure = Callable[..., None]


@pytest.fixture
def issuer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Issuer]:
    """An issuer with keys of its own, which is given time."""
    monkeypatch.setattr(issuer_keys, "_ANSWER_SECONDS", PATIENCE)
    with Issuer() as running:
        yield running


@pytest.fixture
def configure(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> Configure:
    """The function's environment; a call changes some of it, and the function begins anew."""
    environment = {"JWT_ISSUER": issuer.url, "JWT_AUDIENCE": f"https://other.example, {AUDIENCE}", "JWT_SCOPE": SCOPE}

    def change(**variables: str) -> None:
        environment.update(variables)
        resources = AuthorizerResources(AuthorizerSettings.from_environment(environment))
        monkeypatch.setattr(app, "resources", lambda: resources)

    change()
    return change


@pytest.fixture
def authorize(configure: Configure) -> Authorize:
    """Invokes the function with a token."""

    def invoke(token: str) -> dict[str, Any]:
        event = {"type": "TOKEN", "authorizationToken": f"Bearer {token}", "methodArn": METHOD_ARN}
        return app.handler(event, Context())

    return invoke


@pytest.fixture
def claims(issuer: Issuer) -> dict[str, Any]:
    """The claims of a token that is taken."""
    now = int(time.time())
    return {"iss": issuer.url, "sub": "agent", "aud": AUDIENCE, "scope": SCOPE, "iat": now, "exp": now + 300}
