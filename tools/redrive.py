"""Take up executions where they failed: `python -m tools.redrive` (docs/runbook.md, "Redo what failed").

Step Functions redrives an execution of the last 14 days from the state that failed. It is done for those alone whose
caller has had neither callback nor dead letter: a job's result, once told, stands.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from functions.callback.sweeper import MAX_EXECUTIONS, is_without_last_word
from imagejobs.executions import ExecutionName, Executions
from imagejobs.job_store import JobStore
from tools.stack import DEFAULT_STACK, StackFile, StackName, connect, run

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.type_defs import ExecutionListItemTypeDef


class Fate(Enum):
    """What became of an execution that had ended."""

    REDRIVEN = "redriven"
    WOULD_BE_REDRIVEN = "would be redriven"
    ANSWERED = "answered"
    NOT_POSSIBLE = "not possible"


@dataclass(frozen=True)
class Redrive:
    """An execution that had ended, and what became of it."""

    name: ExecutionName
    status: str
    fate: Fate
    note: str = ""


def redrive(jobs: JobStore, executions: Executions, since: datetime, *, dry_run: bool = False) -> list[Redrive]:
    """Redrive what ended since and is without an answer; with `dry_run` only tell what would be."""
    return [_redrive(name, found, jobs, executions, dry_run) for name, found in executions.ended(since, MAX_EXECUTIONS)]


def _redrive(
    name: ExecutionName, execution: "ExecutionListItemTypeDef", jobs: JobStore, executions: Executions, dry_run: bool
) -> Redrive:
    status = execution["status"]
    if jobs.find_request(name.job_id) is None:
        return Redrive(name, status, Fate.NOT_POSSIBLE, "the job's record has expired")
    if not is_without_last_word(name, jobs, executions):
        return Redrive(name, status, Fate.ANSWERED, "POST /jobs/{job_id}/retry edits a batch's failed images again")
    if dry_run:
        return Redrive(name, status, Fate.WOULD_BE_REDRIVEN)
    try:
        executions.client.redrive_execution(executionArn=execution["executionArn"])
    except executions.client.exceptions.ExecutionNotRedrivable as error:
        return Redrive(name, status, Fate.NOT_POSSIBLE, error.response["Error"]["Message"])
    return Redrive(name, status, Fate.REDRIVEN)


def main(
    stack_name: StackName = DEFAULT_STACK,
    stack_file: StackFile = None,
    hours: Annotated[float, typer.Option(min=0.01, max=14 * 24, help="How far back the executions ended.")] = 24,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be done.")] = False,
) -> None:
    """Redrive the executions whose callers have had no answer; ends with 1 when that is not possible for one."""
    own = connect(stack_name, stack_file).resources
    since = datetime.now(UTC) - timedelta(hours=hours)
    redrives = redrive(own.jobs, own.executions, since, dry_run=dry_run)
    if not redrives:
        typer.echo(f"no execution ended before its time in the last {hours:g} hours: there is nothing to redrive")
        return
    title = f"{len(redrives):,} execution{'' if len(redrives) == 1 else 's'} that ended too early"
    table = Table(Column("execution", no_wrap=True), "ended as", "now", "note", title=title)
    for one in redrives:
        table.add_row(str(one.name), one.status, one.fate.value, one.note)
    Console().print(table)
    if any(one.fate is Fate.NOT_POSSIBLE for one in redrives):
        raise typer.Exit(1)


if __name__ == "__main__":
    run(main)
