"""The Distributed Map on the embedded AWS, as `local.bridges.map_runs` puts it right."""

import json
import time
from typing import Any

from tests.integration.local.conftest import Aws, task
from tests.support.waiting import wait_until
from tools.cost.history import names

NUMBERS = """
import time

def handler(event, context):
    time.sleep(event.get("seconds", 0))
    if event["number"] % 5 == 3:
        raise ValueError(f"{event['number']} is bad")
    return {"double": event["number"] * 2}
"""


def distributed_map(function: str, bucket: str, **options: Any) -> dict[str, Any]:
    return {
        "Type": "Map",
        "Label": "EditEachImage",
        "ItemReader": {
            "Resource": "arn:aws:states:::s3:getObject",
            "ReaderConfig": {"InputType": "JSONL"},
            "Parameters": {"Bucket": bucket, "Key.$": "$.manifest"},
        },
        "ItemSelector": {"number.$": "$$.Map.Item.Value.number", "seconds.$": "$.seconds"},
        "MaxConcurrency": 4,
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "Double",
            "States": {"Double": task(function)},
        },
        "ResultWriter": {
            "Resource": "arn:aws:states:::s3:putObject",
            "Parameters": {"Bucket": bucket, "Prefix.$": "$.results"},
        },
        "End": True,
        **options,
    }


def start(aws: Aws, items: int, seconds: float = 0, **options: Any) -> tuple[str, str]:
    bucket = aws.bucket()
    lines = "\n".join(json.dumps({"number": number}) for number in range(items))
    aws("s3").put_object(Bucket=bucket, Key="manifest.jsonl", Body=lines.encode())
    state = distributed_map(aws.function(NUMBERS), bucket, **options)
    payload = {"manifest": "manifest.jsonl", "results": "jobs/1/map-runs", "seconds": seconds}
    return aws.start(aws.machine({"Each": state}), payload), bucket


def read(aws: Aws, bucket: str, key: str) -> Any:
    return json.loads(aws("s3").get_object(Bucket=bucket, Key=key)["Body"].read())


def map_run(aws: Aws, execution: str) -> dict[str, Any]:
    runs = aws("stepfunctions").list_map_runs(executionArn=execution)["mapRuns"]
    found: dict[str, Any] = aws("stepfunctions").describe_map_run(mapRunArn=runs[0]["mapRunArn"])
    return found


def test_results_are_written_in_the_documented_form(aws: Aws) -> None:
    execution, bucket = start(aws, 10, ToleratedFailurePercentage=100)

    output = aws.finish(execution)["output"]
    where = output["ResultWriterDetails"]
    manifest = read(aws, where["Bucket"], where["Key"])
    run_id = output["MapRunArn"].rpartition(":")[2]
    assert where == {"Bucket": bucket, "Key": f"jobs/1/map-runs/{run_id}/manifest.json"}
    assert (manifest["DestinationBucket"], manifest["MapRunArn"]) == (bucket, output["MapRunArn"])
    assert manifest["ResultFiles"]["PENDING"] == []

    results = {}
    for status, files in manifest["ResultFiles"].items():
        for file in files:
            head = aws("s3").head_object(Bucket=bucket, Key=file["Key"])
            assert head["ContentLength"] == file["Size"]
            results[status] = read(aws, bucket, file["Key"])
    assert {json.loads(one["Output"])["double"] for one in results["SUCCEEDED"]} == {0, 2, 4, 8, 10, 12, 14, 18}
    assert {json.loads(one["Input"])["number"] for one in results["FAILED"]} == {3, 8}
    assert all(one["Error"] == "ValueError" and "is bad" in one["Cause"] for one in results["FAILED"])
    details = {"ExecutionArn", "InputDetails", "Name", "OutputDetails", "StartDate", "StopDate", "Status"}
    assert details <= set(results["SUCCEEDED"][0])
    counts = map_run(aws, execution)["itemCounts"]
    assert (counts["succeeded"], counts["failed"], counts["resultsWritten"], counts["total"]) == (8, 2, 10, 10)
    assert names(aws("stepfunctions"), results["SUCCEEDED"][0]["ExecutionArn"]) == ["Double"]


def test_without_a_threshold_one_failed_item_fails_the_map(aws: Aws) -> None:
    found = aws.finish(start(aws, 4)[0])

    assert (found["status"], found["error"]) == ("FAILED", "States.ExceedToleratedFailureThreshold")


def test_an_abort_stops_the_map_run(aws: Aws) -> None:
    execution, _ = start(aws, 40, seconds=2, ToleratedFailurePercentage=100)
    wait_until(lambda: aws("stepfunctions").list_map_runs(executionArn=execution)["mapRuns"])
    wait_until(lambda: map_run(aws, execution)["itemCounts"]["running"] == 4, what="four children at once")
    wait_until(lambda: map_run(aws, execution)["itemCounts"]["succeeded"])

    aws("stepfunctions").stop_execution(executionArn=execution)
    wait_until(lambda: map_run(aws, execution)["status"] != "RUNNING", what="the map run's end")
    run = map_run(aws, execution)
    time.sleep(2.5)  # longer than a child takes

    assert run["status"] == "ABORTED"
    counts = map_run(aws, execution)["itemCounts"]
    assert counts == run["itemCounts"]
    assert (counts["running"], 0 < counts["aborted"] <= 4, counts["pending"] > 0) == (0, True, True)
    assert counts["total"] == sum(counts[name] for name in ("pending", "succeeded", "failed", "aborted")) == 40
    children = aws("stepfunctions").list_executions(mapRunArn=run["mapRunArn"])["executions"]
    assert len(children) == 40 - counts["pending"]
