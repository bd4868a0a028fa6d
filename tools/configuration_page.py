"""docs/configuration.md, made from the parameters of template.yaml; `tools.document` writes it."""

import json
from collections.abc import Iterator
from typing import Any

from tools.render import template

_HEAD = """# Configuration

<!-- Written by `make docs` from template.yaml: change the parameters there. -->

Each setting is a parameter of `template.yaml`. The functions see it as an environment variable; a parameter without a
variable shapes the stack itself. A stack on AWS takes its values from `samconfig.toml`
([Deploying to AWS](deploying.md)), the embedded AWS from `PARAMETERS="Name=value …" make up`
([On this machine](local.md)).

Secrets are not parameters. They are [members of the owner's secret](deploying.md#fill-in-the-secret):
{secrets}.
The stack makes the key that signs callbacks, `CALLBACK_SIGNING_KEY`, in a secret of its own.
"""
_COLUMNS = "| parameter | variable | default | meaning |\n|---|---|---|---|"


def text() -> str:
    """The text of docs/configuration.md."""
    parameters, variables = template()["Parameters"], _variables()
    parts = [_HEAD.format(secrets=", ".join(map(_code, _secrets())))]
    for group in template()["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]:
        rows = [_row(name, parameters[name], variables.get(name, [])) for name in group["Parameters"]]
        parts.append("\n".join([f"## {group['Label']['default']}\n", _COLUMNS, *rows, ""]))
    return "\n".join(parts)


def _row(name: str, parameter: dict[str, Any], variables: list[str]) -> str:
    default = _code(parameter["Default"]) if parameter["Default"] != "" else "empty"
    meaning = " ".join(filter(None, [parameter.get("Description", ""), _values(parameter)]))
    cells = f"`{name}`", ", ".join(f"`{one}`" for one in variables) or "none", default, meaning.replace("|", "\\|")
    return f"| {' | '.join(cells)} |"


def _values(parameter: dict[str, Any]) -> str:
    """Say which values CloudFormation takes."""
    low, high = parameter.get("MinValue"), parameter.get("MaxValue")
    if allowed := parameter.get("AllowedValues"):
        consecutive = all(isinstance(one, int) for one in allowed) and allowed == [*range(allowed[0], allowed[-1] + 1)]
        return f"{allowed[0]} to {allowed[-1]}." if consecutive else f"One of {', '.join(map(_code, allowed))}."
    if low is not None and high is not None:
        return f"{low:,} to {high:,}."
    return f"At least {low:,}." if low is not None else ""


def _code(value: object) -> str:
    return f"`{value}`"


def _secrets() -> list[str]:
    """The members of the secret that the owner fills in."""
    return list(json.loads(template()["Resources"]["OwnerSecret"]["Properties"]["SecretString"]))


def _variables() -> dict[str, list[str]]:
    """The environment variables that a parameter's value reaches, by the parameter's name."""
    functions = [template()["Globals"]["Function"]]
    functions += [resource.get("Properties", {}) for resource in template()["Resources"].values()]
    found: dict[str, list[str]] = {}
    for function in functions:
        for variable, value in function.get("Environment", {}).get("Variables", {}).items():
            for name in _references(value):
                if variable not in found.setdefault(name, []):
                    found[name].append(variable)
    return found


def _references(value: object) -> Iterator[str]:
    match value:
        case {"Ref": str(name)}:
            yield name
        case dict():
            yield from _references([*value.values()])
        case list():
            for part in value:
                yield from _references(part)
