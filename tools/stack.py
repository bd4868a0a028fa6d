"""A deployed stack, as the commands for its operators work with it, and the account that it is in."""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import boto3
import typer
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from imagejobs.resources import Clients, Resources
from imagejobs.settings import StorageSettings

DEFAULT_STACK = "wxo-image-jobs"

# The two options by which a command is told its stack.
StackName = Annotated[str, typer.Option(help="The deployed stack.")]
StackFile = Annotated[Path | None, typer.Option(help="A stack.json of `make up`, instead of a stack on AWS.")]


class OperatorError(Exception):
    """A command cannot do what it was asked to; the message says why, and what to do."""


@dataclass(frozen=True)
class Stack:
    """The parts of a stack. Without `api_key_id` the API asks for no key."""

    resources: Resources[StorageSettings]
    dead_letter_queue_url: str
    api_url: str
    api_key_id: str = ""

    def read_api_key(self) -> str:
        """The key that callers send as `x-api-key`; empty when the API asks for none."""
        if not self.api_key_id:
            return ""
        gateway = session().client("apigateway")
        return gateway.get_api_key(apiKey=self.api_key_id, includeValue=True)["value"]


def session(region: str | None = None) -> boto3.Session:
    """The account, in `region` or else that of AWS_REGION, AWS_DEFAULT_REGION or the profile; its credentials as ever.

    The SDK for Python itself passes over AWS_REGION. Raises OperatorError without a region, NoCredentialsError without
    credentials.
    """
    found = boto3.Session(region_name=region or os.environ.get("AWS_REGION") or None)
    if not found.region_name:
        raise OperatorError("no AWS region is chosen. Choose one: export AWS_REGION=eu-central-1")
    if found.get_credentials() is None:
        raise NoCredentialsError
    return found


def outputs(name: str) -> dict[str, str]:
    """The outputs of a stack on AWS; raises OperatorError when there is none of that name."""
    account = session()
    try:
        described = account.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        raise OperatorError(
            f"there is no stack {name} in {account.region_name}. Deploy it (make deploy), or name another stack "
            "(STACK=name) or region (AWS_REGION)"
        ) from error
    return {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}


def connect(name: str, file: Path | None) -> Stack:
    """Find a stack's parts: by its name on AWS, or by the stack.json of one that runs on this machine."""
    if file:
        return _connect_local(file)
    found = outputs(name)
    settings = StorageSettings(
        jobs_bucket=found["JobsBucketName"],
        state_machine_arn=found["StateMachineArn"],
        secret_arn=found["SecretArn"],
    )
    clients = Clients(region_name=session().region_name)
    return Stack(Resources(settings, clients), found["DeadLetterQueueUrl"], found["ApiUrl"], found.get("ApiKeyId", ""))


def _connect_local(file: Path) -> Stack:
    if not file.exists():
        raise OperatorError(f"there is no {file}, since no stack is up. Start one: make up")
    local = json.loads(file.read_text())
    clients = Clients(
        endpoint_url=local["s3_endpoint"],
        region_name=local["region"],
        aws_access_key_id=local["access_key"],
        aws_secret_access_key=local["secret_key"],
    )
    settings = StorageSettings(
        jobs_bucket=local["jobs_bucket"],
        state_machine_arn=local["state_machine_arn"],
        secret_arn=local["secret_arn"],
    )
    return Stack(Resources(settings, clients), local["dead_letter_queue_url"], local["api_url"])


def run(main: Callable[..., None]) -> None:
    """Run a command from the command line; what stands in its way is told in one line, without a traceback."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    try:
        app()
    except (OperatorError, BotoCoreError, ClientError) as error:
        sys.stderr.write(f"not done: {_reason(error)}\n")
        sys.exit(1)


def _reason(error: Exception) -> str:
    if isinstance(error, NoCredentialsError):
        return "no credentials for AWS were found. Log in (aws configure, aws sso login), or set AWS_PROFILE"
    return " ".join(str(error).split())
