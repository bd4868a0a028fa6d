"""A batch's map run, as Step Functions tells of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from botocore.stub import Stubber

_ACCOUNT = "arn:aws:states:us-east-1:123456789012"
_ARN = f"{_ACCOUNT}:mapRun:image-job/EditEachImage:1"
_NAMES = ("pending", "running", "succeeded", "failed", "timedOut", "aborted", "total", "resultsWritten")


@contextmanager
def map_run(client: Any, status: str, **counts: int) -> Iterator[Stubber]:
    """Let a Step Functions client answer that an execution has one map run; `counts` are its `itemCounts`."""
    began = datetime.now(UTC)
    known = {"executionArn": f"{_ACCOUNT}:execution:image-job:1", "mapRunArn": _ARN}
    run = known | {"startDate": began, "stateMachineArn": f"{_ACCOUNT}:stateMachine:image-job"}
    with Stubber(client) as step_functions:
        step_functions.add_response("list_map_runs", {"mapRuns": [run]})
        described = {
            "status": status,
            "startDate": began,
            "maxConcurrency": 10,
            "toleratedFailurePercentage": 100.0,
            "toleratedFailureCount": 0,
            "itemCounts": dict.fromkeys(_NAMES, 0) | counts,
            "executionCounts": dict.fromkeys(_NAMES, 0) | counts,
        }
        step_functions.add_response("describe_map_run", known | described)
        yield step_functions
