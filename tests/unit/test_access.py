"""Who may call the API, on the template as SAM's transform leaves it for CloudFormation."""

import json
import re
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent
from samcli.lib.translate.sam_template_validator import SamTemplateValidator
from samcli.yamlhelper import yaml_parse

from functions.accept.http.call import caller_of
from functions.authorizer.tokens import CLOCK_SKEW_SECONDS
from imagejobs.job_request import EVERYONE

TEMPLATE = Path(__file__).parents[2] / "template.yaml"
OPEN_PATHS = {"/", "/health", "/docs", "/console", "/openapi.json"}


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
    return transformed(AccessControl="api-key")


def chosen(value: Any, access_control: str) -> Any:
    """What CloudFormation puts in the place of `!If [UseApiKeys, …]` and `!If [UseJwt, …]`."""
    while isinstance(value, dict) and "Fn::If" in value:
        condition, yes, no = value["Fn::If"]
        value = yes if {"UseApiKeys": "api-key", "UseJwt": "jwt"}[condition] == access_control else no
    return value


def operations(resources: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    paths = resources["Api"]["Properties"]["Body"]["paths"]
    return {(path, method): one for path, item in paths.items() for method, one in item.items()}


def parsed() -> dict[str, Any]:
    template: dict[str, Any] = yaml_parse(TEMPLATE.read_text())
    return template


def test_a_key_is_asked_for_unless_the_owner_says_otherwise() -> None:
    assert parsed()["Parameters"]["AccessControl"]["Default"] == "api-key"


@pytest.mark.parametrize(
    ("access_control", "asked"), [("api-key", [{"api_key": []}]), ("jwt", [{"bearer": []}]), ("open", [])]
)
def test_every_route_but_the_open_ones_asks_for_what_access_control_says(
    resources: dict[str, Any], access_control: str, asked: list[Any]
) -> None:
    found = {key: chosen(one.get("security", []), access_control) for key, one in operations(resources).items()}

    assert found.pop(("/{proxy+}", "x-amazon-apigateway-any-method")) == asked
    assert set(map(str, found.values())) == {"[]"}
    assert {path for path, _ in found} == {*OPEN_PATHS, "/{proxy+}"}


def test_only_the_local_profile_is_open() -> None:
    profiles = tomllib.loads((TEMPLATE.parent / "samconfig.toml").read_text())

    assert "AccessControl=open" in profiles["local"]["deploy"]["parameters"]["parameter_overrides"]
    assert "AccessControl" not in str(profiles["default"])


@pytest.mark.parametrize(("access_control", "text"), [("api-key", "x-api-key"), ("jwt", "bearer"), ("open", "OPEN")])
def test_the_stacks_output_says_who_may_call(access_control: str, text: str) -> None:
    assert text in str(chosen(parsed()["Outputs"]["Access"]["Value"], access_control))


def test_an_open_stack_without_a_workshop_token_is_called_open_in_so_many_words() -> None:
    told = chosen(parsed()["Outputs"]["Access"]["Value"], "open")

    assert "Everybody who knows the URL can start jobs at your cost" in told
    assert "unless the secret has a WORKSHOP_TOKEN" in told


@pytest.mark.parametrize("missing", ["JwtIssuer", "JwtAudience"])
def test_jwt_is_refused_without_issuer_and_audience(missing: str) -> None:
    rule = parsed()["Rules"]["JwtNeedsIssuerAndAudience"]

    assert rule["RuleCondition"] == {"Fn::Equals": [{"Ref": "AccessControl"}, "jwt"]}
    (told,) = [one for one in rule["Assertions"] if missing in one["AssertDescription"]]
    assert told["Assert"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": missing}, ""]}]}


@pytest.mark.parametrize("url", ["https://id.example.com/tenant", "http://127.0.0.1:8084", "http://127.0.0.1/a", ""])
@pytest.mark.parametrize("parameter", ["JwtIssuer", "JwtJwksUri"])
def test_an_issuer_is_named_by_https(parameter: str, url: str) -> None:
    assert re.search(parsed()["Parameters"][parameter]["AllowedPattern"], url)


@pytest.mark.parametrize(
    "url", ["http://id.example.com", "http://127.0.0.1.example.com", "id.example.com", "https://a b", "x https://a"]
)
@pytest.mark.parametrize("parameter", ["JwtIssuer", "JwtJwksUri"])
def test_no_other_issuer_is_taken(parameter: str, url: str) -> None:
    assert not re.search(parsed()["Parameters"][parameter]["AllowedPattern"], url)


def test_the_authorizer_exists_only_for_jwt_and_only_this_api_may_ask_it(resources: dict[str, Any]) -> None:
    permission = resources["ApiMayAskAuthorizer"]

    assert permission["Condition"] == resources["AuthorizerFunction"]["Condition"] == "UseJwt"
    assert permission["Properties"]["SourceArn"]["Fn::Sub"].endswith(":${Api}/authorizers/*")


def test_the_authorizer_may_touch_nothing(resources: dict[str, Any]) -> None:
    role = resources["AuthorizerFunctionRole"]["Properties"]

    assert "Policies" not in role
    managed = [str(arn).rpartition("/")[2].strip("'}") for arn in role["ManagedPolicyArns"]]
    assert managed == ["AWSLambdaBasicExecutionRole", "AWSXrayWriteOnlyAccess"]


def test_what_cannot_be_a_token_is_refused_without_asking_the_authorizer(resources: dict[str, Any]) -> None:
    schemes = resources["Api"]["Properties"]["Body"]["components"]["securitySchemes"]
    authorizer = chosen(schemes["bearer"], "jwt")["x-amazon-apigateway-authorizer"]
    pattern = authorizer["identityValidationExpression"]

    assert re.fullmatch(pattern, "Bearer e30.e30.c2ln")
    for header in (
        "",
        "Bearer ",
        "Bearer e30.e30.",
        "Bearer e30",
        "Basic e30.e30.c2ln",
        "Bearer a.b.c d",
        "Bearer a.b.é",
    ):
        assert not re.fullmatch(pattern, header), header


def test_a_policy_is_kept_no_longer_than_clocks_may_differ(resources: dict[str, Any]) -> None:
    schemes = resources["Api"]["Properties"]["Body"]["components"]["securitySchemes"]
    authorizer = chosen(schemes["bearer"], "jwt")["x-amazon-apigateway-authorizer"]

    assert authorizer["authorizerResultTtlInSeconds"] <= CLOCK_SKEW_SECONDS


@pytest.mark.parametrize(
    ("context", "caller"),
    [
        ({"identity": {}, "authorizer": {"caller": "jwt:3f…"}}, "jwt:3f…"),
        ({"identity": {"apiKeyId": "k1"}}, "key:k1"),
        ({"identity": {"apiKeyId": None}, "authorizer": None}, EVERYONE),
        ({"identity": {}}, EVERYONE),
    ],
)
def test_the_caller_is_whom_api_gateway_has_checked(context: dict[str, Any], caller: str) -> None:
    headers = {"x-api-key": "guessed", "Authorization": "Bearer x", "x-workshop-token": "shared", "caller": "jwt:other"}

    assert caller_of(APIGatewayProxyEvent({"headers": headers, "requestContext": context})) == caller


def test_the_stage_has_a_throttle_of_its_own(resources: dict[str, Any]) -> None:
    (stage,) = [one for one in resources.values() if one["Type"] == "AWS::ApiGateway::Stage"]

    assert "Condition" not in stage
    assert stage["Properties"]["MethodSettings"] == [
        {
            "ResourcePath": "/*",
            "HttpMethod": "*",
            "ThrottlingRateLimit": {"Ref": "StageRateLimit"},
            "ThrottlingBurstLimit": {"Ref": "StageBurstLimit"},
        }
    ]


def test_preflight_needs_no_key(resources: dict[str, Any]) -> None:
    assert "security" not in operations(resources)["/{proxy+}", "options"]


def test_key_travels_in_the_header_that_wxo_sends(resources: dict[str, Any]) -> None:
    schemes = resources["Api"]["Properties"]["Body"]["components"]["securitySchemes"]

    assert schemes["api_key"] == {"type": "apiKey", "name": "x-api-key", "in": "header"}


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
    assert parsed()["Conditions"]["UseApiKeys"] == {"Fn::Equals": [{"Ref": "AccessControl"}, "api-key"]}


def test_another_access_control_deploys_the_stage_anew(
    resources: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The transform hashes the API's body, in which a condition stays the same whatever it evaluates to. What makes it
    # deploy nevertheless is the second in which it runs: here another one.
    monkeypatch.setattr("samtranslator.model.apigateway.time", SimpleNamespace(time=lambda: 0.0))

    def deployment(of: dict[str, Any]) -> set[str]:
        return {name for name, one in of.items() if one["Type"] == "AWS::ApiGateway::Deployment"}

    assert deployment(resources) != deployment(transformed(AccessControl="open"))


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
    refusals = {"INVALID_API_KEY", "UNAUTHORIZED", "ACCESS_DENIED"}
    assert set(responses) == try_again | refusals | {"DEFAULT_4XX", "REQUEST_TOO_LARGE"}
    for name, response in responses.items():
        headers = response["responseParameters"]
        assert headers["gatewayresponse.header.x-correlation-id"] == "method.request.header.x-correlation-id"
        assert ("gatewayresponse.header.Retry-After" in headers) == (name in try_again)
        assert headers["gatewayresponse.header.Access-Control-Allow-Origin"] == {"Fn::If": ["UseCors", "'*'", "'none'"]}
        assert ("gatewayresponse.header.WWW-Authenticate" in headers) == (name in ("UNAUTHORIZED", "ACCESS_DENIED"))
        answer = response["responseTemplates"]["application/json"]
        text = answer if isinstance(answer, str) else answer["Fn::Sub"]
        assert set(json.loads(text.replace("$context.error.messageString", '""'))) == {"detail"}
