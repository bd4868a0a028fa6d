"""The payload of a failed job, and the events that lead to it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from functions.callback.events import ExecutionEnded
from imagejobs.callbacks import Base64Callback, BatchCallback, UrlCallback, failed_callback
from imagejobs.executions import ExecutionName
from imagejobs.job_request import JobRequest
from imagejobs.settings import StorageSettings
from imagejobs.workflow import Operation
from local.event_jobs import JOB_ID as JOB
from tests.support.jobs import job_request

EVENTS = Path(__file__).parents[3] / "events" / "callback"
SETTINGS = StorageSettings(cos_output_bucket="out", cos_output_prefix="/results/batch/")


def request(operation: Operation, **fields: Any) -> JobRequest:
    accepted = datetime.now(UTC) - timedelta(seconds=90)
    return job_request(operation, job_id=JOB, created_at=accepted, **fields)


@pytest.mark.parametrize(("operation", "model"), [("base64", Base64Callback), ("url", UrlCallback)])
def test_a_failed_single_job_has_its_error_and_nothing_of_a_result(
    operation: Operation, model: type[Base64Callback | UrlCallback]
) -> None:
    body = failed_callback(request(operation, filename="é.png"), "cancelled", SETTINGS)

    model.model_validate_json(body)
    assert json.loads(body) == {"status": "failed", "job_id": JOB, "filename": "é.png", "error": "cancelled"}
    assert body.isascii()


def test_a_failed_batch_counts_nothing_and_says_where_its_results_would_be() -> None:
    body = failed_callback(request("batch", output_prefix="run-1"), "StorageRejectedError: NoSuchBucket", SETTINGS)

    payload = BatchCallback.model_validate_json(body)
    assert payload.status == "failed"
    assert (payload.total_files, payload.processed, payload.failed, payload.fallback_local) == (0, 0, 0, 0)
    assert payload.output_bucket == "out"
    assert payload.output_prefix == f"results/batch/run-1/{JOB}/"
    assert 90 <= payload.duration_seconds < 150
    assert payload.error == "StorageRejectedError: NoSuchBucket"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (JOB, ExecutionName(JOB)),
        (f"{JOB}-last-word", ExecutionName(JOB, "last-word")),
        (f"{JOB}-redelivery-12", ExecutionName(JOB, "redelivery", 12)),
    ],
)
def test_an_executions_name_says_what_it_serves(name: str, expected: ExecutionName) -> None:
    assert ExecutionName.parse(name) == expected
    assert str(expected) == name


@pytest.mark.parametrize("name", ["", "manual-test", f"{JOB}-other", f"{JOB}-redelivery-", f"x{JOB}"])
def test_a_name_of_something_else_is_none_of_ours(name: str) -> None:
    assert ExecutionName.parse(name) is None


def test_no_callback_depends_on_the_execution_that_posts_the_progress() -> None:
    assert ExecutionName.parse(str(ExecutionName(JOB, "progress"))) is None


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ("last-word-aborted", "aborted: the job's execution was stopped before its end"),
        ("last-word-timed-out", "States.Timeout: the job took longer than it may and was ended"),
        ("last-word-failed", "States.Runtime: An error occurred while executing the state 'EditImage'."),
    ],
)
def test_an_ended_execution_says_why(event: str, reason: str) -> None:
    detail = json.loads((EVENTS / f"{event}.json").read_text())["detail"]

    assert ExecutionEnded.model_validate(detail).reason == reason
    assert ExecutionEnded.model_validate(detail).execution == ExecutionName(JOB)


def test_an_event_without_input_error_or_cause_still_has_a_reason() -> None:
    ended = ExecutionEnded.model_validate({"name": JOB, "status": "FAILED"})

    assert ended.reason == "States.Runtime"
