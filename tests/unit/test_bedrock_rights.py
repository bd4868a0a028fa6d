"""Which rights the template gives for Amazon Bedrock: to each of its models by name, and only where it is on."""

import json
from typing import Any

from functions.process_image.engines.bedrock import SERVICES
from imagejobs.catalogue import MODELS
from tools.render import template

RESOURCES: dict[str, Any] = template()["Resources"]
_PROFILES = (
    "arn:${AWS::Partition}:bedrock:${BedrockRegion}:${AWS::AccountId}:inference-profile/${BedrockGeography}.stability"
)


def resolved(value: dict[str, Any]) -> str:
    """An Fn::Sub with a list, as far as it can be told without a stack."""
    text, names = value["Fn::Sub"]
    for name, inner in names.items():
        text = text.replace(f"${{{name}}}", inner["Fn::Sub"])
    return str(text)


def test_each_model_of_the_catalogue_is_a_service_that_the_role_may_invoke_by_its_profile_alone() -> None:
    ((condition, granted, otherwise),) = [
        policy["Fn::If"]
        for policy in RESOURCES["ProcessImageFunction"]["Properties"]["Policies"]
        if "bedrock:" in json.dumps(policy)
    ]
    profiles, models = granted["Statement"]
    names = {model.name for model in MODELS if model.engine == "bedrock"}

    assert (condition, otherwise) == ("UseBedrock", {"Ref": "AWS::NoValue"})
    assert profiles["Action"] == models["Action"] == "bedrock:InvokeModel"
    services = {name.removeprefix("stability.") for name in SERVICES}
    assert names == SERVICES.keys()
    assert {resolved(one) for one in profiles["Resource"]} == {f"{_PROFILES}.{name}" for name in services}
    assert {resolved(one) for one in models["Resource"]} == {
        f"arn:${{AWS::Partition}}:bedrock:*::foundation-model/stability.{name}" for name in services
    }
    (only,) = models["Condition"]["StringLike"].values()
    assert resolved(only) == f"{_PROFILES}.*"


def test_both_functions_that_edit_have_these_rights_and_no_other_function() -> None:
    editing = {"ProcessImageFunction", "ProcessSmallImageFunction"}

    assert {name for name, one in RESOURCES.items() if "bedrock:Invoke" in json.dumps(one)} == editing
    assert len({json.dumps(RESOURCES[name]["Properties"]["Policies"]) for name in editing}) == 1
