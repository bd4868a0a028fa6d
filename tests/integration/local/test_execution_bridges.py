"""Step Functions on the embedded AWS, as `local.bridges.executions` puts it right."""

import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.bridges import executions
from tests.integration.local.conftest import Aws, task
from tests.support.waiting import wait_until

WAIT = {"Wait": {"Type": "Wait", "Seconds": 30, "End": True}}
COUNTING = """
import boto3, os, time, uuid

def handler(event, context):
    boto3.client("s3").put_object(Bucket=os.environ["BUCKET"], Key=str(uuid.uuid4()), Body=b"")
    time.sleep(0.5)
    raise ConnectionError("away")
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


def test_retries_end_with_an_abort_and_a_failure_after_it_changes_nothing(aws: Aws) -> None:
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


def test_retry_honours_the_longest_delay_and_full_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(executions, "sleep", slept.append)
    for tried in range(3):
        executions.next_retry([retry(MaxDelaySeconds=20)], "ValueError", {0: tried})
    for _ in range(100):
        executions.next_retry([retry(JitterStrategy="FULL")], "ValueError", {0: 1})

    assert slept[:3] == [1, 10, 20]
    assert 0 <= min(slept[3:]) < 5 < max(slept[3:]) <= 10


@pytest.mark.parametrize("named", [False, True])
def test_states_all_does_not_catch_an_exceeded_data_limit(aws: Aws, named: bool) -> None:
    large = aws.function("def handler(event, context):\n    return 'x' * 300_000")
    errors = ["States.DataLimitExceeded"] if named else ["States.ALL"]
    catch = {"ErrorEquals": errors, "ResultPath": None, "Next": "Caught"}

    found = aws.run({"Try": task(large, Catch=[catch]), "Caught": {"Type": "Pass", "End": True}})

    assert found["status"] == ("SUCCEEDED" if named else "FAILED")
    assert named or found["error"] == "States.DataLimitExceeded"


@pytest.mark.parametrize("path", ["$.not_there", "$never_set", "$$.Map.Item"])
def test_a_path_that_finds_nothing_fails_the_execution(aws: Aws, path: str) -> None:
    catch = {"ErrorEquals": ["States.ALL"], "Next": "Caught"}
    broken = task("any", Parameters={"FunctionName": "any", "Payload": {"value.$": path}}, Catch=[catch])

    found = aws.run({"Broken": broken, "Caught": {"Type": "Pass", "End": True}})

    assert (found["status"], found["error"]) == ("FAILED", "States.Runtime")
    assert path in found["cause"]


def test_a_throttled_call_is_caught_by_its_name_and_its_retries_are_counted_in_an_intrinsic(aws: Aws) -> None:
    function = aws.function("def handler(event, context):\n    return 1")
    aws("lambda").put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=0)
    throttled = ["Lambda.TooManyRequestsException"]
    call = task(
        function,
        Retry=[{"ErrorEquals": throttled, "IntervalSeconds": 1, "BackoffRate": 1, "MaxAttempts": 1}],
        Catch=[{"ErrorEquals": throttled, "Assign": {"retries.$": "$$.State.RetryCount"}, "Next": "Count"}],
    )
    count = {"Type": "Pass", "Parameters": {"all.$": "States.MathAdd($.Retries, $retries)"}, "End": True}
    name = {"Type": "Pass", "Result": 40, "ResultPath": "$.Retries", "Next": "Sum"}

    ended = aws.run({"Call": call, "Count": name, "Sum": count})

    assert ended["output"] == {"all": 41}
