"""The command that redrives executions, on moto's AWS. Moto has no RedriveExecution: its answers are AWS's own."""

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import boto3
import pytest
import typer
from typer.testing import CliRunner, Result

from imagejobs.executions import ExecutionName, Executions
from imagejobs.job_store import Delivery, JobStore
from tests.support.jobs import job_request
from tools.redrive import Fate, main, redrive

YESTERDAY = datetime.now(UTC) - timedelta(days=1)


def ended(store: JobStore, executions: Executions, *, recorded: bool = True) -> ExecutionName:
    """An execution that was aborted, and whose caller has had no answer."""
    name = ExecutionName(str(uuid.uuid4()))
    if recorded:
        store.create(job_request("batch", job_id=name.job_id))
    executions.start(name, "batch")
    executions.stop(name, error="", cause="")
    return name


@dataclass
class Redriving:
    """Step Functions' RedriveExecution: the ARNs that it was given, and the refusal that it answers with."""

    arns: list[str] = field(default_factory=list)
    refusal: str = ""

    def answer(self, params: dict[str, Any], **_: object) -> tuple[object, dict[str, Any]]:
        self.arns.append(json.loads(params["body"])["executionArn"])
        refused = {"Error": {"Code": "ExecutionNotRedrivable", "Message": self.refusal}}
        status = SimpleNamespace(status_code=400 if self.refusal else 200)
        return status, refused if self.refusal else {"redriveDate": datetime.now(UTC)}


@pytest.fixture
def redriving(executions: Executions) -> Redriving:
    """What the client is answered in the place of moto."""
    playing = Redriving()
    # What a handler gives takes the place of the call (botocore.client, `_make_api_call`), which its types do not say.
    answer = cast("Callable[..., None]", playing.answer)
    executions.client.meta.events.register("before-call.stepfunctions.RedriveExecution", answer)
    return playing


def test_what_is_without_an_answer_is_redriven_and_nothing_else(
    store: JobStore, executions: Executions, redriving: Redriving
) -> None:
    silent, delivered = ended(store, executions), ended(store, executions)
    store.put_delivery(delivered.job_id, Delivery(status="delivered"))
    with_last_word = ended(store, executions)
    executions.start(ExecutionName(with_last_word.job_id, "last-word"), "deliver")
    forgotten = ended(store, executions, recorded=False)

    assert {one.name: one.fate for one in redrive(store, executions, YESTERDAY)} == {
        silent: Fate.REDRIVEN,
        delivered: Fate.ANSWERED,
        with_last_word: Fate.ANSWERED,
        forgotten: Fate.NOT_POSSIBLE,
    }
    assert redriving.arns == [executions.arn(silent)]


def test_a_dry_run_and_a_time_before_change_nothing(
    store: JobStore, executions: Executions, redriving: Redriving
) -> None:
    ended(store, executions)
    (one,) = redrive(store, executions, YESTERDAY, dry_run=True)

    assert one.fate is Fate.WOULD_BE_REDRIVEN
    assert redrive(store, executions, datetime.now(UTC) + timedelta(hours=1)) == []
    assert redriving.arns == []


def test_what_step_functions_refuses_is_told_in_its_own_way(
    store: JobStore, executions: Executions, redriving: Redriving
) -> None:
    redriving.refusal = "Execution redrivable period exceeded"
    name = ended(store, executions)
    (one,) = redrive(store, executions, YESTERDAY)

    assert (one.name, one.fate, one.note) == (name, Fate.NOT_POSSIBLE, redriving.refusal)


def test_the_command_finds_the_stack_by_its_name_and_tells_of_every_execution(
    stack: dict[str, str], store: JobStore, executions: Executions
) -> None:
    outputs = {
        "DeadLetterQueueUrl": stack["DEAD_LETTER_QUEUE_URL"],
        "JobsBucketName": stack["JOBS_BUCKET"],
        "SecretArn": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:owner",
        "ApiUrl": "https://api.example/v1",
        "StateMachineArn": stack["STATE_MACHINE_ARN"],
    }
    template = {
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {name: {"Value": value} for name, value in outputs.items()},
    }
    boto3.client("cloudformation").create_stack(StackName="mine", TemplateBody=json.dumps(template))
    app = typer.Typer()
    app.command()(main)

    def run(columns: int = 200) -> Result:
        return CliRunner().invoke(app, ["--stack-name", "mine", "--dry-run"], env={"COLUMNS": str(columns)})

    assert run().output == "no execution ended before its time in the last 24 hours: there is nothing to redrive\n"
    name = ended(store, executions)
    done = run()
    assert (done.exit_code, "would be redriven" in done.output, " 1 execution that" in done.output) == (0, True, True)
    assert str(name) in run(60).output
    ended(store, executions, recorded=False)
    done = run()
    assert (done.exit_code, "not possible" in done.output, " 2 executions that" in done.output) == (1, True, True)
