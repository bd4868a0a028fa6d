"""API keys, on the template as SAM's transform leaves it for CloudFormation."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from samcli.lib.translate.sam_template_validator import SamTemplateValidator
from samcli.yamlhelper import yaml_parse

TEMPLATE = Path(__file__).parents[3] / "template.yaml"
OPEN_PATHS = {"/health", "/docs", "/openapi.json"}


class NoManagedPolicies:
    """The template names no managed policy; the real loader would ask IAM."""

    def load(self) -> dict[str, str]:
        return {}


def transformed(**parameters: str) -> dict[str, Any]:
    template = yaml_parse(TEMPLATE.read_text())
    validator = SamTemplateValidator(
        template, NoManagedPolicies(), region="eu-central-1", parameter_overrides=parameters
    )
    resources: dict[str, Any] = yaml_parse(validator.get_translated_template_if_valid())["Resources"]
    return resources


@pytest.fixture(scope="module")
def resources() -> dict[str, Any]:
    return transformed(EnableApiKeys="true")


def chosen(value: Any, *, with_keys: bool) -> Any:
    """What CloudFormation puts in the place of `!If [UseApiKeys, …]`."""
    if isinstance(value, dict) and "Fn::If" in value:
        condition, yes, no = value["Fn::If"]
        assert condition == "UseApiKeys"
        return yes if with_keys else no
    return value


def operations(resources: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    paths = resources["Api"]["Properties"]["Body"]["paths"]
    return {(path, method): one for path, item in paths.items() for method, one in item.items()}


def test_key_is_asked_for_on_every_route_but_the_open_ones(resources: dict[str, Any]) -> None:
    asked = {
        key
        for key, one in operations(resources).items()
        if chosen(one.get("security", []), with_keys=True) == [{"api_key": []}]
    }

    assert asked == {("/{proxy+}", "x-amazon-apigateway-any-method")}
    assert {path for path, _ in operations(resources)} == {*OPEN_PATHS, "/", "/{proxy+}"}


def test_no_key_is_asked_for_by_default(resources: dict[str, Any]) -> None:
    assert yaml_parse(TEMPLATE.read_text())["Parameters"]["EnableApiKeys"]["Default"] == "false"
    for one in operations(resources).values():
        assert chosen(one.get("security", []), with_keys=False) == []


def test_preflight_needs_no_key(resources: dict[str, Any]) -> None:
    assert "security" not in operations(resources)["/{proxy+}", "options"]


def test_key_travels_in_the_header_that_wxo_sends(resources: dict[str, Any]) -> None:
    schemes = resources["Api"]["Properties"]["Body"]["components"]["securitySchemes"]

    assert schemes == {"api_key": {"type": "apiKey", "name": "x-api-key", "in": "header"}}


def test_usage_plan_binds_key_and_stage(resources: dict[str, Any]) -> None:
    plan, key = resources["UsagePlan"]["Properties"], resources["UsagePlanKey"]["Properties"]

    assert plan["Throttle"] == {"RateLimit": {"Ref": "ApiRateLimit"}, "BurstLimit": {"Ref": "ApiBurstLimit"}}
    assert plan["Quota"] == {"Limit": {"Ref": "ApiMonthlyQuota"}, "Period": "MONTH"}
    (stage,) = plan["ApiStages"]
    assert stage["ApiId"] == {"Ref": "Api"}
    assert resources[stage["Stage"]["Ref"]]["Type"] == "AWS::ApiGateway::Stage"
    assert key == {"KeyId": {"Ref": "ApiKey"}, "KeyType": "API_KEY", "UsagePlanId": {"Ref": "UsagePlan"}}


def test_key_and_plan_exist_only_when_asked_for(resources: dict[str, Any]) -> None:
    for name in ("ApiKey", "UsagePlan", "UsagePlanKey"):
        assert resources[name]["Condition"] == "UseApiKeys"
    assert yaml_parse(TEMPLATE.read_text())["Conditions"]["UseApiKeys"] == {
        "Fn::Equals": [{"Ref": "EnableApiKeys"}, "true"]
    }


def test_turning_keys_on_deploys_the_stage_anew(resources: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    # The transform hashes the API's body, in which a condition stays the same whatever it evaluates to. What makes it
    # deploy nevertheless is the second in which it runs: here another one.
    monkeypatch.setattr("samtranslator.model.apigateway.time", SimpleNamespace(time=lambda: 0.0))

    def deployment(of: dict[str, Any]) -> set[str]:
        return {name for name, one in of.items() if one["Type"] == "AWS::ApiGateway::Deployment"}

    assert deployment(resources) != deployment(transformed(EnableApiKeys="false"))


def test_refusals_of_the_gateway_have_the_contracts_form(resources: dict[str, Any]) -> None:
    answers = resources["Api"]["Properties"]["Body"]["x-amazon-apigateway-gateway-responses"]

    assert answers["DEFAULT_4XX"]["responseTemplates"]["application/json"] == '{"detail": $context.error.messageString}'
    for name in ("DEFAULT_5XX", "INTEGRATION_FAILURE", "INTEGRATION_TIMEOUT"):
        assert answers[name]["statusCode"] == "503"
        assert "Send the request again" in json.loads(answers[name]["responseTemplates"]["application/json"])["detail"]
    assert answers["REQUEST_TOO_LARGE"]["statusCode"] == "413"


def test_api_gateways_own_answers_bear_what_callers_expect(resources: dict[str, Any]) -> None:
    responses = resources["Api"]["Properties"]["Body"]["x-amazon-apigateway-gateway-responses"]

    try_again = {"DEFAULT_5XX", "INTEGRATION_FAILURE", "INTEGRATION_TIMEOUT", "THROTTLED", "QUOTA_EXCEEDED"}
    assert set(responses) == try_again | {"DEFAULT_4XX", "REQUEST_TOO_LARGE"}
    for name, response in responses.items():
        headers = response["responseParameters"]
        assert headers["gatewayresponse.header.x-correlation-id"] == "method.request.header.x-correlation-id"
        assert ("gatewayresponse.header.Retry-After" in headers) == (name in try_again)
        assert headers["gatewayresponse.header.Access-Control-Allow-Origin"] == {"Fn::If": ["UseCors", "'*'", "'none'"]}
        template = response["responseTemplates"]["application/json"]
        assert "detail" in (template if isinstance(template, str) else template["Fn::Sub"])
