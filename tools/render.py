"""Fills the placeholders of `image_job.asl.json` as a deployment with the template's defaults would.

python -m tools.render > rendered.json     # a template with the definition inline, for cfn-lint
"""

import json
import re
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parent.parent
_FIXED = {"AWS::Partition": "aws", "AWS::Region": "eu-central-1", "AWS::AccountId": "123456789012"}
_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")


@lru_cache
def template() -> dict[str, Any]:
    """The SAM template, with CloudFormation's short forms (`!Ref x`) in their long ones (`{"Ref": "x"}`)."""
    from samcli.yamlhelper import yaml_parse  # the SAM CLI is a tool of development

    parsed: dict[str, Any] = yaml_parse((_ROOT / "template.yaml").read_text())
    return parsed


def substitutions(**parameters: object) -> dict[str, str]:
    """The placeholders' values, for the template's default parameters or the ones given."""
    values = {name: spec.get("Default", "") for name, spec in template()["Parameters"].items()} | parameters
    given = template()["Resources"]["ImageJob"]["Properties"]["DefinitionSubstitutions"]
    return {name: str(_resolved(value, values)) for name, value in given.items()}


def definition(**parameters: object) -> dict[str, Any]:
    """The state machine's definition as Step Functions gets it."""
    values = substitutions(**parameters)
    text = (_ROOT / "statemachine" / "image_job.asl.json").read_text()
    parsed: dict[str, Any] = json.loads(_PLACEHOLDER.sub(lambda found: values[found[1]], text))
    return parsed


def _resolved(value: object, parameters: dict[str, Any]) -> object:
    match value:
        case {"Ref": str(name)}:
            return _FIXED.get(name) or parameters.get(name, name.lower())
        case {"Fn::GetAtt": [str(resource), "Arn"]}:
            return f"arn:aws:lambda:eu-central-1:123456789012:function:{resource}"
        case {"Fn::Select": [{"Ref": str(name)}, [*choices]]}:
            return choices[int(parameters[name])]
        case {"Fn::If": [str(name), one, otherwise]}:
            return _resolved(one if _holds(template()["Conditions"][name], parameters) else otherwise, parameters)
        case {**other} if other:
            raise ValueError(f"a substitution that this script cannot resolve: {other}")
        case _:
            return value


def _holds(condition: dict[str, Any], parameters: dict[str, Any]) -> bool:
    one, other = (_resolved(value, parameters) for value in condition["Fn::Equals"])
    return str(one) == str(other)


if __name__ == "__main__":
    role = "arn:aws:iam::123456789012:role/image-job"
    properties = {"RoleArn": role, "Definition": definition()}
    resource = {"Type": "AWS::StepFunctions::StateMachine", "Properties": properties}
    json.dump({"AWSTemplateFormatVersion": "2010-09-09", "Resources": {"ImageJob": resource}}, sys.stdout, indent=2)
