"""Executions of the state machine, by name: the name says which job, and which delivery of it, an execution serves."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from imagejobs.workflow import Progress

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.client import SFNClient
    from mypy_boto3_stepfunctions.type_defs import (
        DescribeExecutionOutputTypeDef,
        ExecutionListItemTypeDef,
    )

JOB_ID_PATTERN = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
_NAME = re.compile(r"(?P<job_id>[0-9a-f-]{36})(?P<suffix>-last-word|-redelivery-(?P<round>[0-9]+))?")


@dataclass(frozen=True)
class ExecutionName:
    """An execution's name: the job's id alone, or with what delivers the payload or posts the progress of that job."""

    job_id: str
    kind: Literal["job", "last-word", "redelivery", "progress"] = "job"
    round: int = 0

    def __str__(self) -> str:
        match self.kind:
            case "job":
                return self.job_id
            case "last-word":
                return f"{self.job_id}-last-word"
            case "redelivery":
                return f"{self.job_id}-redelivery-{self.round}"
            case "progress":
                return f"{self.job_id}-progress"

    @classmethod
    def parse(cls, name: str) -> "ExecutionName | None":
        """Read the name of an execution on which a callback depends; None for every other.

        Whether a job's progress was posted matters to nothing: it has no last word, and no sweep looks at it.
        """
        found = _NAME.fullmatch(name)
        if not found:
            return None
        if found["round"]:
            return cls(found["job_id"], "redelivery", int(found["round"]))
        return cls(found["job_id"], "last-word" if found["suffix"] else "job")


@dataclass(frozen=True)
class MapRun:
    """A batch's map run: its status (RUNNING, SUCCEEDED, FAILED or ABORTED) and what it counts."""

    status: str
    progress: Progress


@dataclass(frozen=True)
class Executions:
    """The executions of one state machine."""

    client: "SFNClient"
    state_machine_arn: str

    def machine_status(self) -> str:
        """Read the state machine's own status: ACTIVE, or DELETING."""
        return self.client.describe_state_machine(stateMachineArn=self.state_machine_arn)["status"]

    def start(self, name: ExecutionName, operation: str) -> bool:
        """Start an execution; False when one of that name has ended. Starting a running one changes nothing."""
        try:
            self.client.start_execution(
                stateMachineArn=self.state_machine_arn,
                name=str(name),
                input=json.dumps({"job_id": name.job_id, "operation": operation}),
            )
        except self.client.exceptions.ExecutionAlreadyExists:
            return False
        return True

    def find(self, name: ExecutionName) -> "DescribeExecutionOutputTypeDef | None":
        """Read an execution; None when no execution has that name."""
        try:
            return self.client.describe_execution(executionArn=self.arn(name))
        except self.client.exceptions.ExecutionDoesNotExist:
            return None

    def find_status(self, name: ExecutionName) -> str | None:
        """Read an execution's status (RUNNING, SUCCEEDED, FAILED …); None when no execution has that name."""
        execution = self.find(name)
        return execution["status"] if execution else None

    def stop(self, name: ExecutionName, error: str, cause: str) -> bool:
        """Abort an execution; one that has ended is left as it is. False when no execution has that name."""
        try:
            self.client.stop_execution(executionArn=self.arn(name), error=error, cause=cause)
        except self.client.exceptions.ExecutionDoesNotExist:
            return False
        except self.client.exceptions.ValidationException:
            pass  # it has ended
        return True

    def find_map_run(self, name: ExecutionName) -> MapRun | None:
        """Read an execution's latest map run; None where none began, or where nothing is known any more.

        Each of its two calls is allowed about once a second for the whole account.
        """
        try:
            runs = self.client.list_map_runs(executionArn=self.arn(name))["mapRuns"]
        except self.client.exceptions.ExecutionDoesNotExist:
            return None
        if not runs:
            return None
        latest = max(runs, key=lambda run: run["startDate"])
        run = self.client.describe_map_run(mapRunArn=latest["mapRunArn"])
        counts = run["itemCounts"]
        progress = Progress(
            total=counts["total"],
            succeeded=counts["succeeded"],
            failed=counts["failed"] + counts["timedOut"] + counts["aborted"],
            running=counts["running"],
            pending=counts["pending"],
        )
        return MapRun(run["status"], progress)

    def ended(self, since: datetime, most: int) -> Iterator[tuple[ExecutionName, "ExecutionListItemTypeDef"]]:
        """List this service's executions that failed, timed out or were aborted `since`, without a map run's children.

        Of each of the three it looks at the `most` that started last: Step Functions sorts by start, not by end.
        """
        for status in ("FAILED", "TIMED_OUT", "ABORTED"):
            pages = self.client.get_paginator("list_executions").paginate(
                stateMachineArn=self.state_machine_arn,
                statusFilter=status,
                PaginationConfig={"MaxItems": most, "PageSize": min(most, 1000)},
            )
            for execution in (found for page in pages for found in page["executions"]):
                name = ExecutionName.parse(execution["name"])
                if name and "mapRunArn" not in execution and execution["stopDate"] >= since:
                    yield name, execution

    def arn(self, name: ExecutionName) -> str:
        """The ARN of an execution: its state machine's, with `execution` for the type and its own name at the end."""
        return f"{self.state_machine_arn.replace(':stateMachine:', ':execution:', 1)}:{name}"
