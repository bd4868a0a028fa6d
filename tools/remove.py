"""Removes a stack: `python -m tools.remove` (docs/deploying.md, "Removing the stack")."""

from dataclasses import dataclass
from typing import Annotated

import boto3
import typer
from botocore.exceptions import WaiterError
from rich.console import Console

from tools.stack import DEFAULT_STACK, OperatorError, StackName, outputs, run, session

_POLL_SECONDS = 5
_WAIT_SECONDS = 1800


@dataclass(frozen=True)
class Remover:
    """Removes one stack. CloudFormation deletes no bucket that holds something, and keeps the two with images."""

    account: boto3.Session
    stack: str

    def buckets(self) -> dict[str, str]:
        """The names of the stack's own buckets by their ids in the template."""
        pages = self.account.client("cloudformation").get_paginator("list_stack_resources")
        return {
            one["LogicalResourceId"]: one["PhysicalResourceId"]
            for page in pages.paginate(StackName=self.stack)
            for one in page["StackResourceSummaries"]
            if one["ResourceType"] == "AWS::S3::Bucket" and one["ResourceStatus"] != "DELETE_COMPLETE"
        }

    def remove(self, jobs_bucket: str) -> None:
        """Empty the jobs bucket and delete the stack; raises OperatorError when AWS keeps it."""
        cloudformation = self.account.client("cloudformation")
        # What still runs may write to the bucket once more, between its emptying and its deletion.
        for last in (False, True):
            self.empty(jobs_bucket)
            cloudformation.delete_stack(StackName=self.stack)
            try:
                cloudformation.get_waiter("stack_delete_complete").wait(
                    StackName=self.stack,
                    WaiterConfig={"Delay": _POLL_SECONDS, "MaxAttempts": _WAIT_SECONDS // _POLL_SECONDS},
                )
            except WaiterError as error:
                if last:
                    raise OperatorError(
                        f"the stack {self.stack} is not deleted: {error}. Its events say why: aws cloudformation "
                        f"describe-stack-events --region {self.account.region_name} --stack-name {self.stack}"
                    ) from error
            else:
                return

    def empty(self, bucket: str) -> None:
        """Delete everything in a bucket."""
        self.account.resource("s3").Bucket(bucket).object_versions.delete()

    def delete(self, bucket: str) -> None:
        """Delete a bucket with everything in it."""
        self.empty(bucket)
        self.account.resource("s3").Bucket(bucket).delete()


def main(
    stack_name: StackName = DEFAULT_STACK,
    with_images: Annotated[
        bool, typer.Option("--with-images", help="Delete the input and the output bucket too, with every image.")
    ] = False,
) -> None:
    """Delete a stack with the records of its jobs, once its name is typed."""
    found, account = outputs(stack_name), session()
    remover, console = Remover(account, stack_name), Console(highlight=False, soft_wrap=True, markup=False)
    identity = account.client("sts").get_caller_identity()
    buckets = remover.buckets()
    jobs_bucket = found.get("JobsBucketName") or buckets["JobsBucket"]
    images = [name for name in buckets.values() if name != jobs_bucket]
    console.print(f"account {identity['Account']}, region {account.region_name}, stack {stack_name}")
    console.print(f"deleted for good: the stack, its log, and every job in {jobs_bucket}")
    console.print(f"kept: the owner's secret {found.get('SecretArn', '')}")
    for bucket in images:
        console.print(f"{'deleted for good, with its images' if with_images else 'kept'}: {bucket}")
    if typer.prompt("Type the stack's name to go on", default="", show_default=False) != stack_name:
        raise OperatorError("another name was typed; nothing was deleted")
    remover.remove(jobs_bucket)
    for bucket in images if with_images else []:
        remover.delete(bucket)
    console.print(f"{stack_name} is gone")


if __name__ == "__main__":
    run(main)
