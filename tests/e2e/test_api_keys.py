"""API keys, as far as the embedded AWS goes: it makes key and usage plan but asks nobody for the key. That API Gateway
would is shown on the transformed template (tests/unit/openapi/test_api_keys.py)."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from functions.accept.http.openapi import full_document, wxo_document
from functions.accept.http.routes import ROUTES
from local.stack import EmbeddedStack, Options, Ports, StackInfo


@pytest.fixture(scope="module")
def stack_with_keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackInfo]:
    """A stack of its own, which asks for API keys."""
    options = Options(
        ports=Ports.free(),
        state_dir=tmp_path_factory.mktemp("local"),
        parameters={"EnableApiKeys": "true", "ApiRateLimit": "7", "ApiBurstLimit": "9", "ApiMonthlyQuota": "500"},
    )
    with EmbeddedStack(options) as embedded:
        yield embedded.info


def only(found: list[dict[str, Any]]) -> dict[str, Any]:
    (one,) = found
    return one


def test_the_plan_binds_its_key_to_the_stage(stack_with_keys: StackInfo) -> None:
    gateway = stack_with_keys.client("apigateway")

    key = only(gateway.get_api_keys(includeValues=True)["items"])
    plan = only(gateway.get_usage_plans()["items"])
    assert key["enabled"]
    assert key["value"]
    assert (plan["throttle"]["rateLimit"], plan["throttle"]["burstLimit"]) == (7, 9)
    assert (plan["quota"]["limit"], plan["quota"]["period"]) == (500, "MONTH")
    assert f"/{only(plan['apiStages'])['apiId']}/" in stack_with_keys.api_url
    assert only(gateway.get_usage_plan_keys(usagePlanId=plan["id"])["items"])["id"] == key["id"]


def test_health_stays_open(stack_with_keys: StackInfo) -> None:
    answer = httpx2.get(f"{stack_with_keys.api_url}/health", timeout=30)

    assert answer.status_code == 200
    assert answer.json()["ok"] is True


def test_the_published_document_asks_for_the_key(stack_with_keys: StackInfo) -> None:
    published = httpx2.get(f"{stack_with_keys.api_url}/openapi.json", timeout=30).json()

    assert published == full_document(ROUTES, stack_with_keys.api_url, api_key=True)
    assert published["security"] == wxo_document(ROUTES, stack_with_keys.api_url, api_key=True)["security"]
