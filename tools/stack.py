"""A deployed stack, as the commands for its operators work with it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import boto3
import typer

from imagejobs.resources import Clients, Resources
from imagejobs.settings import StorageSettings

DEFAULT_STACK = "wxo-image-jobs"

# The two options by which a command is told its stack.
StackName = Annotated[str, typer.Option(help="The deployed stack.")]
StackFile = Annotated[Path | None, typer.Option(help="A stack.json of `make up`, instead of a stack on AWS.")]


@dataclass(frozen=True)
class Stack:
    """The parts of a stack."""

    resources: Resources[StorageSettings]
    dead_letter_queue_url: str


def connect(name: str, file: Path | None) -> Stack:
    """Find a stack's parts: by its name on AWS, or by the stack.json of one that runs on this machine."""
    if file:
        local = json.loads(file.read_text())
        queue_url, bucket, machine = local["dead_letter_queue_url"], local["jobs_bucket"], local["state_machine_arn"]
        clients = Clients(
            endpoint_url=local["s3_endpoint"],
            region_name=local["region"],
            aws_access_key_id=local["access_key"],
            aws_secret_access_key=local["secret_key"],
        )
    else:
        described = boto3.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}
        queue_url, bucket, machine = (
            outputs[key] for key in ("DeadLetterQueueUrl", "JobsBucketName", "StateMachineArn")
        )
        clients = Clients()
    settings = StorageSettings(jobs_bucket=bucket, state_machine_arn=machine)
    return Stack(Resources(settings, clients), queue_url)
