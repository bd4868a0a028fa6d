"""Step Functions on the embedded AWS, as `local.bridges.executions` puts it right."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.bridges import executions
from tests.integration.local.conftest import Aws, task
from tests.support.waiting import wait_until

WAIT = {"Wait": {"Type": "Wait", "Seconds": 30, "End": True}}
COUNTING = """
import boto3, os, uuid

def handler(event, context):
    boto3.client("s3").put_object(Bucket=os.environ["BUCKET"], Key=str(uuid.uuid4()), Body=b"")
    raise ConnectionError("away")
"""
FAILING_WHEN_TOLD = """
import time
from pathlib import Path

def handler(event, context):
    folder = Path(event)
    (folder / "begun").touch()
    while not (folder / "go").exists():
        time.sleep(0.05)
    (folder / "failing").touch()
    raise ValueError
"""


def count(aws: Aws, bucket: str) -> int:
    return int(aws("s3").list_objects_v2(Bucket=bucket)["KeyCount"])


def retry(**options: Any) -> dict[str, Any]:
    return {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "BackoffRate": 10, "MaxAttempts": 3, **options}


def test_the_same_name_and_input_while_running_is_the_same_execution(aws: Aws) -> None:
    machine = aws.machine(WAIT)
    first = aws.start(machine, {"a": 1}, name="job")

    assert aws.start(machine, {"a": 1}, name="job") == first
    with pytest.raises(ClientError, match="ExecutionAlreadyExists"):
        aws.start(machine, {"a": 2}, name="job")
    aws("stepfunctions").stop_execution(executionArn=first)
    with pytest.raises(ClientError, match="ExecutionAlreadyExists"):
        aws.start(machine, {"a": 1}, name="job")


def test_the_state_machines_timeout_ends_the_execution(aws: Aws) -> None:
    seen = aws.bucket()
    code = (
        "import boto3, json, os\ndef handler(event, context):\n"
        "    body = json.dumps(event).encode()\n"
        "    boto3.client('s3').put_object(Bucket=os.environ['BUCKET'], Key=event['detail']['status'], Body=body)"
    )
    function = aws.function(code, variables={"BUCKET": seen})
    machine = aws.machine(WAIT, TimeoutSeconds=1)
    pattern = {"source": ["aws.states"], "detail": {"stateMachineArn": [machine], "status": ["TIMED_OUT"]}}
    rule = f"rule-{machine.rpartition(':')[2]}"
    aws("events").put_rule(Name=rule, EventPattern=json.dumps(pattern))
    aws("events").put_targets(Rule=rule, Targets=[{"Id": "function", "Arn": function}])

    execution = aws.start(machine)

    assert aws.finish(execution)["status"] == "TIMED_OUT"
    wait_until(lambda: count(aws, seen))
    event = json.loads(aws("s3").get_object(Bucket=seen, Key="TIMED_OUT")["Body"].read())
    assert event["detail-type"] == "Step Functions Execution Status Change"
    assert event["detail"]["executionArn"] == execution
    time.sleep(0.3)
    assert aws.finish(execution)["status"] == "TIMED_OUT"


def test_retries_end_with_an_abort_and_it_stays_an_abort(aws: Aws) -> None:
    bucket = aws.bucket()
    failing = task(aws.function(COUNTING, variables={"BUCKET": bucket}), Retry=[retry(BackoffRate=1)])
    execution = aws.start(aws.machine({"Try": failing}))
    wait_until(lambda: count(aws, bucket))

    aws("stepfunctions").stop_execution(executionArn=execution, error="cancelled", cause="by the caller")
    tried = count(aws, bucket)
    time.sleep(2.5)

    assert count(aws, bucket) <= tried + 1  # one may have been under way
    found = aws.finish(execution)
    assert (found["status"], found["error"], found["cause"]) == ("ABORTED", "cancelled", "by the caller")


def test_a_failure_after_an_abort_changes_nothing(aws: Aws, tmp_path: Path) -> None:
    slow = aws.function(FAILING_WHEN_TOLD)
    execution = aws.start(aws.machine({"Try": task(slow)}), str(tmp_path))
    wait_until((tmp_path / "begun").exists)
    aws("stepfunctions").stop_execution(executionArn=execution)
    (tmp_path / "go").touch()
    wait_until((tmp_path / "failing").exists)
    time.sleep(0.5)

    assert aws.finish(execution)["status"] == "ABORTED"


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that retries wait, which pass at once."""
    seconds: list[float] = []
    monkeypatch.setattr(executions, "sleep", seconds.append)
    return seconds


def test_retry_honours_the_longest_delay(slept: list[float]) -> None:
    for tried in range(3):
        executions.next_retry([retry(MaxDelaySeconds=20)], "ValueError", {0: tried})

    assert slept == [1, 10, 20]


def test_full_jitter_shortens_the_delays(slept: list[float]) -> None:
    for _ in range(100):
        executions.next_retry([retry(JitterStrategy="FULL")], "ValueError", {0: 1})

    assert 0 <= min(slept) < 5 < max(slept) <= 10


def test_a_failed_task_is_retried_after_its_delay(aws: Aws) -> None:
    bucket, begun = aws.bucket(), time.monotonic()
    failing = task(aws.function(COUNTING, variables={"BUCKET": bucket}), Retry=[retry(BackoffRate=1, MaxAttempts=2)])

    assert aws.run({"Try": failing})["status"] == "FAILED"
    assert count(aws, bucket) == 3
    assert time.monotonic() - begun >= 2


@pytest.mark.parametrize("named", [False, True])
def test_states_all_does_not_catch_an_exceeded_data_limit(aws: Aws, named: bool) -> None:
    large = aws.function("def handler(event, context):\n    return 'x' * 300_000")
    errors = ["States.DataLimitExceeded"] if named else ["States.ALL"]
    catch = {"ErrorEquals": errors, "ResultPath": None, "Next": "Caught"}

    found = aws.run({"Try": task(large, Catch=[catch]), "Caught": {"Type": "Pass", "End": True}})

    assert found["status"] == ("SUCCEEDED" if named else "FAILED")
    assert named or found["error"] == "States.DataLimitExceeded"


def test_a_path_that_finds_nothing_fails_the_execution(aws: Aws) -> None:
    function = aws.function("def handler(event, context):\n    return event")
    parameters = {"FunctionName": function, "Payload": {"value.$": "$.not_there"}}
    catch = {"ErrorEquals": ["States.ALL"], "Next": "Caught"}
    broken = task(function, Parameters=parameters, Catch=[catch])

    found = aws.run({"Broken": broken, "Caught": {"Type": "Pass", "End": True}})

    assert (found["status"], found["error"]) == ("FAILED", "States.Runtime")
    assert "$.not_there" in found["cause"]


def test_a_catch_keeps_the_retry_count_in_a_variable(aws: Aws) -> None:
    failing = aws.function("def handler(event, context):\n    raise ValueError")
    caught = {"ErrorEquals": ["States.ALL"], "Assign": {"tried.$": "$$.State.RetryCount"}, "Next": "Tell"}
    tell = {"Type": "Pass", "Parameters": {"error.$": "$.Error", "of": {"retries.$": "$tried"}}, "End": True}
    once = retry(MaxAttempts=2, IntervalSeconds=1, BackoffRate=1, JitterStrategy="FULL")

    found = aws.run({"Try": task(failing, Retry=[once], Catch=[caught]), "Tell": tell})

    assert found["output"] == {"error": "ValueError", "of": {"retries": 2}}


def test_a_variable_that_was_never_set_fails_the_execution(aws: Aws) -> None:
    found = aws.run({"Tell": {"Type": "Pass", "Parameters": {"retries.$": "$tried"}, "End": True}})

    assert (found["status"], found["error"]) == ("FAILED", "States.Runtime")


def test_an_execution_starts_at_once(aws: Aws) -> None:
    machine = aws.machine({"Pass": {"Type": "Pass", "End": True}})

    def seconds() -> float:
        found = aws.finish(aws.start(machine))
        return float((found["stopDate"] - found["startDate"]).total_seconds())

    # A busy machine may be slow now and then; a pause before each start would make every one slow.
    wait_until(lambda: seconds() < 0.1, what="an execution of a tenth of a second")
