"""Writes the two documents that watsonx Orchestrate imports as tools. `make wxo-tools` calls it."""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer
from botocore.exceptions import BotoCoreError, ClientError

from functions.accept.http.openapi import agent_document, wxo_document
from functions.accept.http.routes import ROUTES
from functions.accept.settings import AccessControl
from local.deployment import STACK_NAME
from local.stack import StackInfo
from tools.stack import OperatorError, StackFile, session

ROOT = Path(__file__).parent.parent
# The three tools of the contract, for flows, and those that an agent's model chooses by itself.
OUTPUT = ROOT / "wxo" / "openapi.json"
AGENT_TOOLS = OUTPUT.with_name("agent-tools.json")
OTHER_STACKS = "give API_URL=https://…, or STACK_FILE=.local/stack.json for the stack of make up"


def checked_url(url: str) -> str:
    """The server URL as WXO takes it: absolute, without variables, query or slash at the end.

    Raises:
        ValueError: it is another kind of URL.
    """
    parts = urlsplit(url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or "{" in url:
        raise ValueError(f"{url!r} is not the URL of an API: expected something like https://abc123.execute-api.…/v1")
    return url.strip().rstrip("/")


def deployed_api(config: Path) -> tuple[str, AccessControl]:
    """The API URL of the stack that samconfig.toml names, and what it asks callers for; read from CloudFormation.

    Raises:
        LookupError: the stack cannot be read, or is not a stack of this service.
    """
    defaults: dict[str, Any] = tomllib.loads(config.read_text())["default"]
    name = defaults["global"]["parameters"]["stack_name"]
    region = defaults.get("deploy", {}).get("parameters", {}).get("region")
    try:
        stacks = session(region).client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    except (OperatorError, BotoCoreError, ClientError) as error:
        raise LookupError(f"stack {name!r} could not be read: {error}. Deploy it, or {OTHER_STACKS}") from error
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stacks[0].get("Outputs", [])}
    if "ApiUrl" not in outputs:
        raise LookupError(f"stack {name!r} has no output ApiUrl. Instead, {OTHER_STACKS}")
    return outputs["ApiUrl"], _access_of(stacks[0])


def local_api(file: Path) -> tuple[str, AccessControl]:
    """The API URL of the stack that a stack.json of `make up` describes, and what it asks callers for.

    Raises:
        LookupError: no stack is up.
    """
    if not file.exists():
        raise LookupError(f"there is no {file}, since no stack is up. Start one: make up")
    info = StackInfo.model_validate_json(file.read_text())
    try:
        (stack,) = info.client("cloudformation").describe_stacks(StackName=STACK_NAME)["Stacks"]
    except (BotoCoreError, ClientError) as error:
        raise LookupError(f"the stack of {file} does not answer: {error}. Start it anew: make up") from error
    return info.api_url, _access_of(stack)


def _access_of(stack: Mapping[str, Any]) -> AccessControl:
    """What a stack of CloudFormation says by its parameters."""
    given = {one["ParameterKey"]: one["ParameterValue"] for one in stack.get("Parameters", [])}
    return AccessControl(given.get("AccessControl", AccessControl.OPEN))


def main(
    api_url: Annotated[str, typer.Option(help="Base URL of the API; by default the deployed stack's output.")] = "",
    access: Annotated[
        AccessControl | None,
        typer.Option(help="What the API asks for; by default what the stack says, with --api-url api-key."),
    ] = None,
    stack_file: StackFile = None,
    output: Annotated[
        Path, typer.Option(help="Where openapi.json is written, and agent-tools.json beside it.")
    ] = OUTPUT,
) -> None:
    """Write the OpenAPI documents that watsonx Orchestrate imports."""
    try:
        if api_url:
            url, asked = api_url, AccessControl.API_KEY
        else:
            url, asked = local_api(stack_file) if stack_file else deployed_api(ROOT / "samconfig.toml")
        url = checked_url(url)
    except (LookupError, ValueError) as error:
        typer.echo(f"wxo-tools: {error}", err=True)
        raise typer.Exit(1) from error
    access = access or asked
    documents = {
        output: wxo_document(ROUTES, url, access=access),
        output.with_name(AGENT_TOOLS.name): agent_document(ROUTES, url, access=access),
    }
    for path, document in documents.items():
        path.write_text(json.dumps(document, indent=2) + "\n")
        typer.echo(f"{path}: {len(document['paths'])} paths at {url}, access control: {access}")
    if urlsplit(url).scheme == "http":
        typer.echo("The URL is plain http: only WXO Developer Edition on this machine or network can call it.")


if __name__ == "__main__":
    typer.run(main)
