"""The payload of a failed job, and the events that lead to it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from functions.callback.events import ExecutionEnded
from imagejobs.callbacks import Base64Callback, BatchCallback, UrlCallback, failed_callback
from imagejobs.executions import ExecutionName
from imagejobs.job_store import JobRequest
from imagejobs.settings import StorageSettings

EVENTS = Path(__file__).parents[3] / "events" / "callback"
JOB = "7c1e0c9a-5d1f-4a6e-9a54-0d6f5f1b2c3d"
SETTINGS = StorageSettings(cos_output_bucket="out", cos_output_prefix="/results/batch/")


def request(operation: str, **more) -> JobRequest:
    return JobRequest(
        job_id=JOB,
        operation=operation,
        prompt="p",
        callback_url="https://example.com/",
        correlation_id="c",
        created_at=datetime.now(UTC) - timedelta(seconds=90),
        **more,
    )


@pytest.mark.parametrize(("operation", "model"), [("base64", Base64Callback), ("url", UrlCallback)])
def test_a_failed_single_job_has_its_error_and_nothing_of_a_result(operation, model):
    body = failed_callback(request(operation, filename="é.png"), "cancelled", SETTINGS)

    model.model_validate_json(body)
    assert json.loads(body) == {"status": "failed", "job_id": JOB, "filename": "é.png", "error": "cancelled"}
    assert body.isascii()


def test_a_failed_batch_counts_nothing_and_says_where_its_results_would_be():
    body = failed_callback(request("batch", output_prefix="run-1"), "StorageRejectedError: NoSuchBucket", SETTINGS)

    payload = BatchCallback.model_validate_json(body)
    assert payload.status == "failed"
    assert (payload.total_files, payload.processed, payload.failed, payload.fallback_local) == (0, 0, 0, 0)
    assert payload.output_bucket == "out"
    assert payload.output_prefix == f"results/batch/run-1/{JOB}/"
    assert 90 <= payload.duration_seconds < 100
    assert payload.error == "StorageRejectedError: NoSuchBucket"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (JOB, ExecutionName(JOB)),
        (f"{JOB}-last-word", ExecutionName(JOB, "last-word")),
        (f"{JOB}-redelivery-12", ExecutionName(JOB, "redelivery", 12)),
    ],
)
def test_an_executions_name_says_what_it_serves(name: str, expected: ExecutionName):
    assert ExecutionName.parse(name) == expected
    assert str(expected) == name


@pytest.mark.parametrize("name", ["", "manual-test", f"{JOB}-other", f"{JOB}-redelivery-", f"x{JOB}"])
def test_a_name_of_something_else_is_none_of_ours(name: str):
    assert ExecutionName.parse(name) is None


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ("last-word-aborted", "aborted: the job's execution was stopped before its end"),
        ("last-word-timed-out", "States.Timeout: the job took longer than it may and was ended"),
        ("last-word-failed", "States.Runtime: An error occurred while executing the state 'EditImage'."),
    ],
)
def test_an_ended_execution_says_why(event: str, reason: str):
    detail = json.loads((EVENTS / f"{event}.json").read_text())["detail"]

    assert ExecutionEnded.model_validate(detail).reason == reason
    assert ExecutionEnded.model_validate(detail).execution == ExecutionName(JOB)


def test_an_event_without_input_error_or_cause_still_has_a_reason():
    ended = ExecutionEnded.model_validate({"name": JOB, "status": "FAILED"})

    assert ended.reason == "States.Runtime"
