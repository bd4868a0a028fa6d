"""What the template promises: configuration that arrives, parameters that tell, and parts that fit each other."""

import json
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from samcli.yamlhelper import yaml_dump

from imagejobs import __version__
from imagejobs.settings import Settings
from tools.render import template

ROOT = Path(__file__).parents[2]
RESOURCES: dict[str, Any] = template()["Resources"]
FUNCTIONS = {
    "accept": "AcceptFunction",
    "authorizer": "AuthorizerFunction",
    "process_image": "ProcessImageFunction",
    "batch_fanout": "BatchFanoutFunction",
    "callback": "CallbackFunction",
}
# The function that takes any picture, and the one that most pictures fit.
EDITORS = ["ProcessImageFunction", "ProcessSmallImageFunction"]
# Read by libraries or set by Lambda itself, not by a settings model.
NOT_SETTINGS = {"POWERTOOLS_LOG_LEVEL", "POWERTOOLS_METRICS_NAMESPACE"}
# The contract (docs/api.md, "Configuration"): name -> default, as template parameters.
CONTRACT = {
    "CosEndpoint": "",
    "CosRegion": "eu-geo",
    "CosBucket": "",
    "CosInputBucket": "",
    "CosOutputBucket": "",
    "CosInputPrefix": "",
    "CosOutputPrefix": "results/batch",
    "CosPresignExpires": 900,
    "OpenAIImageQuality": "medium",
    "OpenAIImageOutputFormat": "png",
    "CallbackTimeoutSeconds": 30,
    "EnableFallbackSingle": "true",
    "EnableCallbackRewrite": "false",
    "LocalTunnelNetloc": "127.0.0.1:14321",
    "MaxConcurrentJobs": 10,
}


def variables(function: str) -> dict[str, Any]:
    """The environment that the template gives a function."""
    common = template()["Globals"]["Function"]["Environment"]["Variables"]
    own = RESOURCES[FUNCTIONS[function]]["Properties"].get("Environment", {}).get("Variables", {})
    return {**common, **own}


def settings_of(function: str) -> type[Settings]:
    """The settings model of a function."""
    module = import_module(f"functions.{function}.settings")
    (kind,) = (
        member
        for member in vars(module).values()
        if isinstance(member, type) and issubclass(member, Settings) and member.__module__ == module.__name__
    )
    return kind


@pytest.mark.parametrize("name", CONTRACT)
def test_contracts_configuration_is_a_parameter_with_its_default(name: str) -> None:
    assert template()["Parameters"][name]["Default"] == CONTRACT[name]


def test_concurrency_of_edits_is_reserved_by_choice_alone() -> None:
    assert template()["Parameters"]["EditReservedConcurrency"]["Default"] == 0
    for function in EDITORS:
        reserved = RESOURCES[function]["Properties"]["ReservedConcurrentExecutions"]
        assert reserved == {"Fn::If": ["ReserveEdits", {"Ref": "EditReservedConcurrency"}, {"Ref": "AWS::NoValue"}]}
    assert template()["Conditions"]["ReserveEdits"] == {
        "Fn::Not": [{"Fn::Equals": [{"Ref": "EditReservedConcurrency"}, "0"]}]
    }


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_variable_of_the_template_is_a_setting(function: str) -> None:
    fields = {name.upper() for name in settings_of(function).model_fields}

    # The storage's settings go to every function alike.
    common = set(template()["Globals"]["Function"]["Environment"]["Variables"])
    assert set(variables(function)) - common - NOT_SETTINGS <= fields


@pytest.mark.parametrize("function", FUNCTIONS)
def test_defaults_of_template_and_settings_agree(function: str) -> None:
    parameters = template()["Parameters"]
    model = settings_of(function)
    given = variables(function)
    for name, field in model.model_fields.items():
        match given.get(name.upper()):
            case {"Ref": str(parameter)} if parameter in parameters and str(parameters[parameter]["Default"]) != "":
                read = model.model_validate({name.upper(): str(parameters[parameter]["Default"])})
                assert getattr(read, name) == field.default, name


def test_parameters_are_all_used_and_grouped() -> None:
    text = (ROOT / "template.yaml").read_text()
    groups = template()["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    grouped = [name for group in groups for name in group["Parameters"]]

    assert sorted(grouped) == sorted(template()["Parameters"])
    unused = [name for name in grouped if not re.search(rf"!Ref {name}\b|\$\{{{name}\}}", text)]
    assert unused == []


def test_every_line_can_be_read_without_scrolling() -> None:
    lines = (ROOT / "template.yaml").read_text().splitlines()

    assert [number for number, line in enumerate(lines, 1) if len(line) > 120] == []


@pytest.mark.parametrize("name", template()["Parameters"])
def test_every_parameter_says_what_it_means_and_what_empty_means(name: str) -> None:
    parameter = template()["Parameters"][name]

    assert parameter["Description"].endswith(".")
    assert parameter["Default"] != "" or "Empty means" in parameter["Description"]


def test_what_two_functions_read_stands_once_for_all_of_them() -> None:
    readers = {name: {field.upper() for field in settings_of(name).model_fields} for name in FUNCTIONS}
    common = set(template()["Globals"]["Function"]["Environment"]["Variables"])
    for variable in common - NOT_SETTINGS:
        assert sum(variable in fields for fields in readers.values()) > 1, variable
    for name in FUNCTIONS:
        others = set().union(*(fields for other, fields in readers.items() if other != name))
        assert (set(variables(name)) - common) & others == set(), name


def test_what_sam_hands_to_cloudformation_has_no_anchors() -> None:
    """CloudFormation takes neither aliases nor merge keys ("CloudFormation template format", YAML)."""
    events = list(yaml.parse(yaml_dump(template())))

    assert len(events) > 1000
    assert [event for event in events if getattr(event, "anchor", None)] == []


def test_api_and_package_have_one_version() -> None:
    assert RESOURCES["Api"]["Properties"]["DefinitionBody"]["info"]["version"] == __version__


def test_the_two_functions_that_edit_differ_in_memory_alone() -> None:
    large, small = ({**RESOURCES[name]["Properties"]} for name in EDITORS)
    assert RESOURCES[EDITORS[0]]["Metadata"] == RESOURCES[EDITORS[1]]["Metadata"]
    assert small.pop("MemorySize") < large.pop("MemorySize")
    assert small | {"Description": ""} == large | {"Description": ""}


@pytest.mark.parametrize("function", [*FUNCTIONS.values(), *EDITORS])
def test_every_function_has_a_log_group_with_retention(function: str) -> None:
    group = RESOURCES[function]["Properties"]["LoggingConfig"]["LogGroup"]["Ref"]
    assert RESOURCES[group]["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}


def test_openai_is_given_less_time_than_the_function_and_the_function_less_than_its_state() -> None:
    limit = template()["Parameters"]["OpenAITimeoutSeconds"]["MaxValue"]
    function = RESOURCES["ProcessImageFunction"]["Properties"]["Timeout"]
    state = RESOURCES["ImageJob"]["Properties"]["DefinitionSubstitutions"]["EditTimeoutSeconds"]
    assert limit < function < state


def test_the_access_log_tells_who_called_and_no_address_path_or_query() -> None:
    setting = RESOURCES["Api"]["Properties"]["AccessLogSetting"]["Fn::If"]
    told = json.loads(setting[1]["Format"])

    assert setting[0] == "UseAccessLog"
    assert {"apiKeyId", "principalId", "method", "route", "status", "ms"} <= set(told)
    assert {told["route"], told["apiKeyId"], told["principalId"]} == {
        "$context.resourcePath",
        "$context.identity.apiKeyId",
        "$context.authorizer.principalId",
    }
    for personal in ("sourceIp", "userAgent", "$context.path", "querystring", "claims"):
        assert personal not in setting[1]["Format"]
    assert RESOURCES["ApiLogGroup"]["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}


def test_the_stage_waits_for_the_role_that_its_access_log_needs() -> None:
    destination = RESOURCES["Api"]["Properties"]["AccessLogSetting"]["Fn::If"][1]["DestinationArn"]["Fn::If"]

    assert destination[0] == RESOURCES["ApiGatewayAccount"]["Condition"] == "SetLogRole"
    assert {"Ref": "ApiGatewayAccount"} in destination[1]["Fn::Select"][1]
    # The account's other APIs write their logs by it too.
    for name in ("ApiGatewayAccount", "ApiGatewayLogRole"):
        assert RESOURCES[name]["DeletionPolicy"] == RESOURCES[name]["UpdateReplacePolicy"] == "Retain"


def test_browsers_may_read_from_both_buckets_that_links_lead_to() -> None:
    assert (
        RESOURCES["JobsBucket"]["Properties"]["CorsConfiguration"]
        == (RESOURCES["OutputBucket"]["Properties"]["CorsConfiguration"])
    )


def test_eventbridge_gives_up_to_the_queue_by_its_rules_own_name() -> None:
    statements = RESOURCES["DeadLetterQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"]
    (allowed,) = [one for one in statements if one["Effect"] == "Allow"]

    assert str(allowed["Condition"]["ArnEquals"]["aws:SourceArn"]).count("LastWord") == 1


def test_no_secret_stands_in_template_or_environment() -> None:
    for function in FUNCTIONS:
        assert not {"OPENAI_API_KEY", "COS_SECRET_ACCESS_KEY", "WORKSHOP_TOKEN", "CALLBACK_SIGNING_KEY"} & set(
            variables(function)
        )
