"""Deploys the stack to AWS: `python -m tools.deploy` (docs/deploying.md). It asks for nothing.

`sam build` and `sam deploy` do the work. What they leave out is here: the region from AWS_REGION too, and new defaults
of the template, since `sam deploy` leaves every parameter that it is not given as the stack has it.
"""

import json
import math
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import boto3
import click
import typer
from botocore.exceptions import ClientError
from rich.console import Console

from tools.render import template
from tools.stack import OperatorError, outputs, run, session
from tools.wheels import pip_variables

ROOT = Path(__file__).parents[1]
# The longest name in the template is the stack's name and 10 characters more; AWS takes 80 for a state machine's.
MAX_STACK_NAME = 70
_SECONDS_A_DAY = 86_400
# Until JobsBucket aborts the multipart uploads by which map runs write their results (template.yaml).
_MAX_EXECUTION_SECONDS = 7 * _SECONDS_A_DAY
_STACK_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]*")


@dataclass(frozen=True)
class Plan:
    """What is to be deployed. `changed` are the parameters that the configuration sets."""

    stack: str
    changed: dict[str, str]
    config_file: Path
    config_env: str

    @property
    def architecture(self) -> str:
        """The processor that is built for."""
        return self.changed.get("Architecture", defaults()["Architecture"])

    @property
    def config(self) -> list[str]:
        """The options that have SAM read the same configuration."""
        return ["--config-file", str(self.config_file.resolve()), "--config-env", self.config_env]


def defaults() -> dict[str, str]:
    """The defaults of the template's parameters."""
    return {name: str(about["Default"]) for name, about in template()["Parameters"].items()}


def make_plan(config_file: Path, config_env: str, stack: str, parameters: str) -> Plan:
    """Read the configuration; `stack` and `parameters` go before it. Raises OperatorError for what AWS would refuse."""
    from samcli.lib.config.samconfig import SamConfig

    try:
        config = SamConfig(config_file.parent.resolve(), config_file.name).get_all(["deploy"], "parameters", config_env)
    except Exception as error:  # SAM has a kind of error for each format of the file
        raise OperatorError(f"{config_file} cannot be read: {error}") from error
    changed = _parameters(config.get("parameter_overrides", [])) | _parameters(parameters)
    if unknown := sorted(set(changed) - set(defaults())):
        raise OperatorError(f"the template has no parameter {', '.join(unknown)}: docs/configuration.md lists them all")
    name = stack or config.get("stack_name", "")
    if not _STACK_NAME.fullmatch(name) or len(name) > MAX_STACK_NAME:
        raise OperatorError(
            f"{name!r} ({len(name)} characters) cannot be the stack's name: expected a letter, then letters, digits "
            f"and hyphens, {MAX_STACK_NAME} characters at the most"
        )
    _require_records_that_outlive(defaults() | changed)
    return Plan(name, changed, config_file, config_env)


def _require_records_that_outlive(parameters: dict[str, str]) -> None:
    """A job's record must outlive its execution by a day, and so must a map run's unfinished results.

    A template's Rules cannot compare numbers.
    """
    days, seconds = int(parameters["JobsExpirationDays"]), int(parameters["ExecutionTimeoutSeconds"])
    if seconds > _MAX_EXECUTION_SECONDS:
        raise OperatorError(
            f"ExecutionTimeoutSeconds={seconds} is too long: the jobs bucket drops unfinished uploads, as the results "
            f"of a batch are while it runs, after 7 days. Give {_MAX_EXECUTION_SECONDS} at most"
        )
    least = math.ceil(seconds / _SECONDS_A_DAY) + 1
    if days < least:
        raise OperatorError(
            f"JobsExpirationDays={days} would delete the records of jobs that still run: with "
            f"ExecutionTimeoutSeconds={seconds} give {least} at least, or lower ExecutionTimeoutSeconds"
        )


def _parameters(given: object) -> dict[str, str]:
    from samcli.cli.types import CfnParameterOverridesType

    try:
        found: dict[str, str] = CfnParameterOverridesType().convert(given or {}, None, None)
    except click.BadParameter as error:
        raise OperatorError(f"parameters are written as Name=value: {error.message}") from error
    return found


def outdated(account: boto3.Session, plan: Plan) -> dict[str, str]:
    """The defaults that a stack which is deployed already does not have yet, or no longer, by parameter."""
    try:
        (stack,) = account.client("cloudformation").describe_stacks(StackName=plan.stack)["Stacks"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":  # there is no such stack
            return {}
        raise
    has = {one["ParameterKey"]: one["ParameterValue"] for one in stack.get("Parameters", [])}
    return {
        name: default
        for name, default in defaults().items()
        if name not in plan.changed and has.get(name, default) != default
    }


def deploy(account: boto3.Session, plan: Plan) -> None:
    """Build the stack and deploy it, with SAM's own output. Raises OperatorError when SAM fails."""
    overrides = plan.changed | outdated(account, plan)
    environment = {**os.environ, "AWS_DEFAULT_REGION": account.region_name, "AWS_REGION": account.region_name}
    # `sam build` looks for python3.13 on the PATH.
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}"
    _sam(
        ["build", *plan.config, "--parameter-overrides", f"Architecture={plan.architecture}"],
        environment | pip_variables(plan.architecture),
    )
    passed = [f"{name}={json.dumps(value)}" for name, value in overrides.items()]
    _sam(
        [
            *["deploy", *plan.config, "--stack-name", plan.stack, "--region", account.region_name],
            *["--no-confirm-changeset", "--no-fail-on-empty-changeset"],
            *(["--parameter-overrides", *passed] if passed else []),
        ],
        environment,
    )


def _sam(arguments: list[str], environment: dict[str, str]) -> None:
    sam = Path(sys.executable).with_name("sam")
    done = subprocess.run(  # noqa: S603 (SAM, with arguments that are not the shell's)
        [sam, *arguments], cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, check=False
    )
    if done.returncode:
        raise OperatorError(f"sam {arguments[0]} failed; its last lines above say why")


def _next_steps(stack: str, region: str) -> str:
    found = outputs(stack)
    chosen = f"AWS_REGION={region} STACK={stack}"
    key = [f"  make api-key {chosen}       # the key that callers send as x-api-key"] if "ApiKeyId" in found else []
    return "\n".join(
        [
            f"\n{stack} is deployed: {found['ApiUrl']}",
            found["Access"],
            "\nNow:",
            f"  make openai-key {chosen}    # asks for OpenAI's key and keeps it in the stack's secret",
            *key,
            f"  make try {chosen}           # posts a first job, and fetches its result",
        ]
    )


def main(
    stack_name: Annotated[str, typer.Option(help="The stack, instead of the configuration's.")] = "",
    config_file: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="SAM's configuration.")] = (
        ROOT / "samconfig.toml"
    ),
    config_env: Annotated[str, typer.Option(help="Its environment.")] = "default",
    parameters: Annotated[
        str, typer.Option(envvar="PARAMETERS", help="Parameters for this deployment alone: Name=value …")
    ] = "",
) -> None:
    """Build the stack and deploy it to the account and region of this shell; ends with what to do next."""
    plan = make_plan(config_file, config_env, stack_name, parameters)
    account = session()
    identity: Any = account.client("sts").get_caller_identity()
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"account {identity['Account']}, region {account.region_name}, stack {plan.stack}", style="bold")
    for name, value in plan.changed.items():
        console.print(f"  {name}={value}", markup=False)
    deploy(account, plan)
    console.print(_next_steps(plan.stack, account.region_name), markup=False)


if __name__ == "__main__":
    run(main)
