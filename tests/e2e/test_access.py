"""Who gets in: API keys and bearer tokens, each asked for by a stack of its own on the embedded AWS."""

import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from local.stack import EmbeddedStack, Options, Ports, StackInfo
from standins.receiver import Receiver
from tests.e2e.conftest import encoded
from tests.support.issuer import AUDIENCE, SCOPE, Issuer
from tests.support.waiting import PATIENCE

OPEN = ("/", "/health", "/docs", "/console", "/openapi.json")

JOB_ID = "7c1e0c9a-5d1f-4a6e-9a54-0d6f5f1b2c3d"


def stack(folder: Any, **parameters: str) -> EmbeddedStack:
    """A stack of its own; OpenAI's stand-in makes the edits."""
    return EmbeddedStack(Options(ports=Ports.free(), state_dir=folder, with_receiver=False, parameters=parameters))


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    """The issuer whose tokens the stack takes."""
    with Issuer() as running:
        yield running


@pytest.fixture(scope="module")
def with_tokens(tmp_path_factory: pytest.TempPathFactory, issuer: Issuer) -> Iterator[StackInfo]:
    """A stack that asks for bearer tokens."""
    jwt = {"JwtIssuer": issuer.url, "JwtAudience": AUDIENCE, "JwtScope": SCOPE}
    with stack(tmp_path_factory.mktemp("tokens"), AccessControl="jwt", **jwt) as embedded:
        yield embedded.info


def only(found: list[dict[str, Any]]) -> dict[str, Any]:
    (one,) = found
    return one


def operations(info: StackInfo) -> Iterator[tuple[str, str]]:
    """Method and path of every operation that the published document does not call open, and of none that it has."""
    document = httpx2.get(f"{info.api_url}/openapi.json", timeout=PATIENCE).json()
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if operation.get("security") != []:
                yield method.upper(), path.replace("{job_id}", JOB_ID)
    yield from (("POST", "/no/such/route"), ("PUT", "/jobs"), ("GET", "/health/more"))


def post_job(info: StackInfo, receiver: Receiver, headers: dict[str, str]) -> httpx2.Response:
    """Post a base64 job."""
    return httpx2.post(
        f"{info.api_url}/process-image-async-b64",
        json={"prompt": "make it blue", "image_base64": encoded()},
        headers={"callbackUrl": receiver.url("/callback"), **headers},
        timeout=PATIENCE,
    )


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_a_stranger_without_a_key_is_refused_on_every_route(with_keys: StackInfo) -> None:
    for method, path in operations(with_keys):
        for headers in ({}, {"x-api-key": "guessed-guessed-guessed-guessed"}):
            answer = httpx2.request(method, f"{with_keys.api_url}{path}", headers=headers, timeout=PATIENCE)
            assert answer.status_code == 403, f"{method} {path}"
            assert "x-api-key" in answer.json()["detail"]


def test_the_published_document_says_what_is_asked_for(with_keys: StackInfo, with_tokens: StackInfo) -> None:
    for info, scheme in ((with_keys, "apiKey"), (with_tokens, "bearer")):
        document = httpx2.get(f"{info.api_url}/openapi.json", timeout=PATIENCE).json()
        assert document["security"] == [{scheme: []}]
        assert list(document["components"]["securitySchemes"]) == [scheme]


@pytest.mark.parametrize("path", OPEN)
def test_health_and_documents_need_no_key(with_keys: StackInfo, path: str) -> None:
    assert httpx2.get(f"{with_keys.api_url}{path}", timeout=PATIENCE, follow_redirects=True).status_code == 200


def test_the_plan_binds_its_key_to_the_stage(with_keys: StackInfo) -> None:
    gateway = with_keys.client("apigateway")

    key = only(gateway.get_api_keys(includeValues=True)["items"])
    plan = only(gateway.get_usage_plans()["items"])
    assert key["enabled"]
    assert (plan["throttle"]["rateLimit"], plan["throttle"]["burstLimit"]) == (70, 90)
    assert (plan["quota"]["limit"], plan["quota"]["period"]) == (5000, "MONTH")
    assert f"/{only(plan['apiStages'])['apiId']}/" in with_keys.api_url
    assert only(gateway.get_usage_plan_keys(usagePlanId=plan["id"])["items"])["id"] == key["id"]


def test_a_key_opens_the_api(with_keys: StackInfo, api_key: str, receiver: Receiver) -> None:
    assert post_job(with_keys, receiver, {"x-api-key": api_key}).status_code == 202


def assert_a_job_is_its_callers_alone(info: StackInfo, receiver: Receiver, one: Any, another: Any) -> None:
    """One posts, another guesses the id right."""
    one, another = one | {"Idempotency-Key": "order-1"}, another | {"Idempotency-Key": "order-1"}
    job_id = post_job(info, receiver, one).json()["job_id"]
    upload = {"filename": "a.png", "content_type": "image/png", "size": 12}
    image_key = httpx2.post(f"{info.api_url}/uploads", json=upload, headers=one, timeout=30).json()["image_key"]

    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/redeliver")):
        url = f"{info.api_url}/jobs/{job_id}{path}"
        assert httpx2.request(method, url, headers=another, timeout=30).status_code == 404
    body = {"prompt": "p", "image_key": image_key}
    headers = {"callbackUrl": receiver.url("/callback"), **another, "Idempotency-Key": "order-2"}
    refused = httpx2.post(f"{info.api_url}/process-image-async", json=body, headers=headers, timeout=30)
    assert refused.status_code == 422
    assert refused.json()["detail"][0]["msg"] == "expected the image_key that POST /uploads answered"
    assert post_job(info, receiver, another).json()["job_id"] != job_id
    assert post_job(info, receiver, one).json()["job_id"] == job_id
    assert httpx2.get(f"{info.api_url}/jobs/{job_id}", headers=one, timeout=30).status_code == 200


def test_a_job_belongs_to_the_key_that_posted_it(with_keys: StackInfo, receiver: Receiver) -> None:
    gateway = with_keys.client("apigateway")
    first = only(gateway.get_api_keys(includeValues=True)["items"])
    second = gateway.create_api_key(name="second", enabled=True)
    plan = only(gateway.get_usage_plans()["items"])
    gateway.create_usage_plan_key(usagePlanId=plan["id"], keyId=second["id"], keyType="API_KEY")
    try:
        one, another = ({"x-api-key": key["value"]} for key in (first, second))
        assert_a_job_is_its_callers_alone(with_keys, receiver, one, another)
    finally:
        gateway.delete_api_key(apiKey=second["id"])


def test_a_job_belongs_to_the_subject_that_posted_it(
    with_tokens: StackInfo, issuer: Issuer, receiver: Receiver
) -> None:
    claims = {"iss": issuer.url, "aud": AUDIENCE, "scope": SCOPE, "exp": int(time.time()) + 300}
    one, another = (bearer(issuer.signed(claims | {"sub": subject})) for subject in ("one", "another"))

    assert_a_job_is_its_callers_alone(with_tokens, receiver, one, another)


def test_a_stranger_without_a_token_is_refused_on_every_route(with_tokens: StackInfo) -> None:
    for method, path in operations(with_tokens):
        for headers in ({}, bearer("guessed"), {"Authorization": "Basic d3hvOmEtc2VjcmV0"}):
            answer = httpx2.request(method, f"{with_tokens.api_url}{path}", headers=headers, timeout=PATIENCE)
            assert answer.status_code == 401, f"{method} {path}"
            assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
            assert "bearer token" in answer.json()["detail"]


@pytest.mark.parametrize("path", OPEN)
def test_health_and_documents_need_no_token(with_tokens: StackInfo, path: str) -> None:
    assert httpx2.get(f"{with_tokens.api_url}{path}", timeout=PATIENCE, follow_redirects=True).status_code == 200


def test_a_token_of_the_issuer_opens_every_route(with_tokens: StackInfo, issuer: Issuer, receiver: Receiver) -> None:
    token = bearer(issuer.token())

    assert httpx2.get(f"{with_tokens.api_url}/cos/config", headers=token, timeout=PATIENCE).status_code == 200
    accepted = post_job(with_tokens, receiver, token)
    assert accepted.status_code == 202
    job = httpx2.get(f"{with_tokens.api_url}/jobs/{accepted.json()['job_id']}", headers=token, timeout=PATIENCE)
    assert job.status_code == 200


@pytest.mark.parametrize("changes", [{"exp": 1}, {"aud": "https://elsewhere.example"}, {"iss": "https://stranger"}])
def test_a_token_that_does_not_fit_is_refused(
    with_tokens: StackInfo, issuer: Issuer, receiver: Receiver, changes: dict[str, Any]
) -> None:
    claims = {"iss": issuer.url, "sub": "agent", "aud": AUDIENCE, "scope": SCOPE, "exp": int(time.time()) + 300}
    answer = post_job(with_tokens, receiver, bearer(issuer.signed(claims | changes)))

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


def test_a_token_without_the_scope_is_told_which_one_it_lacks(
    with_tokens: StackInfo, issuer: Issuer, receiver: Receiver
) -> None:
    answer = post_job(with_tokens, receiver, bearer(issuer.token(scope="images.read")))

    assert answer.status_code == 403
    assert answer.headers["WWW-Authenticate"] == f'Bearer error="insufficient_scope", scope="{SCOPE}"'
    assert SCOPE in answer.json()["detail"]
