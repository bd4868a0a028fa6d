"""What each file under events/ comes to, whichever engine runs the function."""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from imagejobs.callbacks import Base64Callback, BatchCallback, UrlCallback
from imagejobs.executions import ExecutionName, Executions
from imagejobs.job_store import JobStore
from imagejobs.output_keys import output_key
from imagejobs.settings import StorageSettings
from imagejobs.storage import Bucket
from imagejobs.workflow import BatchCounts, EditedImage, Manifest
from local.event_jobs import JOB_ID, KEYS, photo

EVENTS = Path(__file__).parents[2] / "events"
NAMES = sorted(f"{path.parent.name}/{path.stem}" for path in EVENTS.glob("*/*.json"))


@dataclass(frozen=True)
class Outcome:
    """An invocation's result, or Lambda's error object, with the stack it worked on.

    `callbacks` are the payloads that came for JOB_ID, `dead_letters` the messages that went to the queue.
    """

    result: Any
    jobs: JobStore
    outputs: Bucket
    executions: Executions
    callbacks: list[dict[str, Any]]
    dead_letters: list[dict[str, Any]]

    @property
    def answer(self) -> Any:
        """The body of an answer of the API."""
        return json.loads(self.result["body"])


def check(name: str, outcome: Outcome) -> None:
    """Assert that an event came to what it is an example of."""
    CHECKS[name](outcome)


def _healthy(outcome: Outcome) -> None:
    assert outcome.result["statusCode"] == 200
    assert outcome.answer["ok"] is True


def _refused(outcome: Outcome) -> None:
    assert outcome.result["statusCode"] == 422
    assert ["body", "prompt"] in [problem["loc"] for problem in outcome.answer["detail"]]


def _accepted(operation: str) -> Callable[[Outcome], None]:
    def accepted(outcome: Outcome) -> None:
        assert outcome.result["statusCode"] == 202, outcome.result
        job_id = outcome.answer["job_id"]
        recorded = outcome.jobs.get_request(job_id)
        assert (recorded.operation, recorded.correlation_id) == (operation, "events")
        assert (outcome.jobs.bucket.find(f"jobs/{job_id}/input") is not None) is (operation == "base64")
        assert outcome.executions.find_status(ExecutionName(job_id))

    return accepted


def _edited(operation: str, attempts: int = 1) -> Callable[[Outcome], None]:
    def edited(outcome: Outcome) -> None:
        image = EditedImage.model_validate(outcome.result)
        assert (image.engine, image.attempts, image.bytes_in) == ("openai", attempts, len(photo()))
        bucket = outcome.jobs.bucket if operation == "base64" else outcome.outputs
        key = output_key(outcome.jobs.get_request(JOB_ID), StorageSettings(), image.content_type, KEYS[0])
        body = bucket.get(key).body
        assert body != photo()
        assert Image.open(io.BytesIO(body)).format == "PNG"

    return edited


def _no_image(outcome: Outcome) -> None:
    assert outcome.result["errorType"] == "UnsupportedImageError"


def _listed(outcome: Outcome) -> None:
    manifest = Manifest.model_validate(outcome.result)
    lines = outcome.jobs.bucket.get(manifest.manifest_key).body.decode().splitlines()
    assert tuple(json.loads(line)["key"] for line in lines) == KEYS
    assert manifest.total_files == len(KEYS)


def _summed_up(outcome: Outcome) -> None:
    summary = BatchCounts.model_validate(outcome.result)
    assert (summary.total_files, summary.processed, summary.failed) == (2, 1, 1)
    assert len(list(outcome.outputs.lines(f"results/batch/{JOB_ID}/report.jsonl"))) == 2
    kept = outcome.jobs.find_summary(JOB_ID)
    assert kept
    assert kept.errors[0].startswith(KEYS[1])


def _reported(outcome: Outcome) -> None:
    assert outcome.result == {"total_files": 2, "processed": 0}
    assert len(list(outcome.outputs.lines(f"results/batch/{JOB_ID}/report.jsonl"))) == 2


def _delivered(model: type[Base64Callback | UrlCallback | BatchCallback], status: str) -> Callable[[Outcome], None]:
    def delivered(outcome: Outcome) -> None:
        assert outcome.result["status"] == "delivered", outcome.result
        (payload,) = outcome.callbacks
        callback = model.model_validate(payload)
        assert (callback.job_id, callback.status) == (JOB_ID, status)

    return delivered


def _letter_due(outcome: Outcome) -> None:
    assert json.loads(outcome.result["letter"])["job_id"] == JOB_ID
    assert outcome.jobs.get_delivery(JOB_ID).giving_up


def _nothing_given_up(outcome: Outcome) -> None:
    assert outcome.result["status"] == "pending"


def _given_up(outcome: Outcome) -> None:
    (letter,) = outcome.dead_letters
    assert letter["job_id"] == JOB_ID
    assert outcome.jobs.get_delivery(JOB_ID).status == "dead_lettered"


def _last_word(error: str) -> Callable[[Outcome], None]:
    def spoken(outcome: Outcome) -> None:
        decided = outcome.jobs.find_payload(JOB_ID)
        assert decided is not None
        callback = Base64Callback.model_validate_json(decided.body)
        assert callback.status == "failed"
        assert error in (callback.error or "")
        assert outcome.executions.find_status(ExecutionName(JOB_ID, "last-word"))

    return spoken


def _started(outcome: Outcome) -> None:
    assert outcome.result["started"] is True, outcome.result
    assert [one["type"] for one in outcome.callbacks] == ["job.started"]


def _swept(outcome: Outcome) -> None:
    assert outcome.result["failed"] == 0


CHECKS: dict[str, Callable[[Outcome], None]] = {
    "accept/health": _healthy,
    "accept/bad-body": _refused,
    "accept/base64-job": _accepted("base64"),
    "accept/batch-job": _accepted("batch"),
    "batch_fanout/list-images": _listed,
    "batch_fanout/report-stopped": _reported,
    "batch_fanout/summarize": _summed_up,
    "callback/deliver-base64": _delivered(Base64Callback, "completed"),
    "callback/deliver-batch": _delivered(BatchCallback, "completed_with_errors"),
    "callback/deliver-decided": _delivered(Base64Callback, "failed"),
    "callback/deliver-failed": _delivered(Base64Callback, "failed"),
    "callback/deliver-url": _delivered(UrlCallback, "completed"),
    "callback/give-up": _letter_due,
    "callback/last-word-aborted": _last_word("aborted"),
    "callback/last-word-delivery-failed": _given_up,
    "callback/last-word-failed": _last_word("EditImage"),
    "callback/last-word-timed-out": _last_word("States.Timeout"),
    "callback/record-dead-letter": _nothing_given_up,
    "callback/report-progress": _started,
    "callback/sweep": _swept,
    "process_image/base64-rate-limited": _edited("base64", attempts=4),
    "process_image/batch": _edited("batch"),
    "process_image/batch-no-image": _no_image,
    "process_image/batch-retried": _edited("batch", attempts=3),
    "process_image/single": _edited("base64"),
    "process_image/url": _edited("url"),
}
