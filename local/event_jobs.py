"""The job that the files under events/ name, recorded as `accept` and the earlier states of the machine leave it."""

import json
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

from PIL import Image

from imagejobs.callbacks import Base64Callback
from imagejobs.job_request import JobRequest
from imagejobs.job_store import JobStore
from imagejobs.storage import Bucket
from imagejobs.workflow import BatchSummary, EditedImage, ImageFailure, ManifestLine, Operation

# The id in every event that names a job, and the folder of the input bucket that its batch edits.
JOB_ID = "7c1e0c9a-5d1f-4a6e-9a54-0d6f5f1b2c3d"
FOLDER = "photos"
KEYS = (f"{FOLDER}/harbour.jpg", f"{FOLDER}/notes.txt")
ERRORS = [
    f"{FOLDER}/notes.txt: UnsupportedImageError: the file is not an image",
    f"{FOLDER}/harbour.jpg: OpenAI billing limit -> fallback local applied",
]


def record(
    name: str, event: dict[str, Any], jobs: JobStore, inputs: Bucket, outputs: Bucket, callback_url: str
) -> None:
    """Record the job anew, with the operation that the event is about: nothing of an earlier run is left.

    `name` is that of the event's file. The callback goes to `callback_url`; the buckets are the stack's.
    """
    earlier = (jobs.bucket, f"jobs/{JOB_ID}/"), (outputs, f"results/{JOB_ID}/"), (outputs, f"results/batch/{JOB_ID}/")
    for bucket, prefix in earlier:
        if keys := [key for key, _size in bucket.keys(prefix)]:
            bucket.delete_all(keys)
    operation = operation_of(name, event)
    jobs.create(
        JobRequest(
            job_id=JOB_ID,
            operation=operation,
            prompt="make the sky red",
            callback_url=callback_url,
            progress_url=callback_url,
            correlation_id="events",
            created_at=datetime.now(UTC),
            filename=None if operation == "batch" else "photo.jpg",
            prefix=FOLDER if operation == "batch" else None,
        )
    )
    picture, note = KEYS
    jobs.put_input(JOB_ID, photo(), "image/jpeg")
    jobs.bucket.put(jobs.key(JOB_ID, "result"), photo(), "image/jpeg")
    inputs.put(picture, photo(), "image/jpeg")
    inputs.put(note, b"no image", "text/plain")
    _put_map_run(jobs)
    if summary := event.get("outcome", {}).get("summary"):
        jobs.put_summary(JOB_ID, BatchSummary(**summary, errors=ERRORS))
    if event.get("outcome") == {}:  # a delivery tried again: the payload is decided by then
        jobs.decide(JOB_ID, Base64Callback(status="failed", job_id=JOB_ID, error="decided earlier").to_json())


def operation_of(name: str, event: dict[str, Any]) -> Operation:
    """Tell which operation an event is about; base64 where it could be any."""
    if "operation" in event:
        operation: Operation = event["operation"]
        return operation
    outcome = event.get("outcome", {})
    if event.get("action") in ("list_images", "summarize_batch", "report_stopped") or "summary" in outcome:
        return "batch"
    return "url" if name.endswith("deliver-url") else "base64"


def photo() -> bytes:
    """Draw a small picture, a JPEG."""
    buffer = BytesIO()
    Image.linear_gradient("L").convert("RGB").resize((96, 64)).save(buffer, "JPEG")
    return buffer.getvalue()


def _put_map_run(jobs: JobStore) -> None:
    """Leave what ListImages and a map run's ResultWriter leave: one image edited, one file refused."""
    edited = ManifestLine(at=0, key=KEYS[0], size=2048).model_dump_json() + "\n"
    refused = ManifestLine(at=len(edited), key=KEYS[1], size=2048).model_dump_json() + "\n"
    jobs.bucket.put(jobs.key(JOB_ID, "manifest.jsonl"), f"{edited}{refused}".encode(), "application/jsonl")
    message = json.dumps({"errorMessage": "the file is not an image", "errorType": "UnsupportedImageError"})
    cause = ImageFailure(cause=message, retries=0).model_dump_json()
    image = EditedImage(
        content_type="image/png",
        engine="openai",
        attempts=1,
        bytes_in=2048,
        bytes_out=4096,
        ms=8123,
    )
    files = {
        "FAILED": [_put_children(jobs, "FAILED", len(edited), Error="UnsupportedImageError", Cause=cause)],
        "PENDING": [],
        "SUCCEEDED": [_put_children(jobs, "SUCCEEDED", 0, Output=image.model_dump_json())],
    }
    manifest = json.dumps({"DestinationBucket": jobs.bucket.name, "MapRunArn": "", "ResultFiles": files})
    jobs.bucket.put(jobs.key(JOB_ID, "map-runs/events/manifest.json"), manifest.encode(), "application/json")


def _put_children(jobs: JobStore, status: str, at: int, **result: str) -> dict[str, str | int]:
    """Write a result file of one child execution; gives its entry in the manifest."""
    child = {
        "Input": json.dumps({"job_id": JOB_ID, "operation": "batch", "at": at}),
        "StartDate": "2026-11-01T00:00:00.000Z",
        "Status": status,
        "StopDate": "2026-11-01T00:00:01.000Z",
        **result,
    }
    file, body = jobs.key(JOB_ID, f"map-runs/events/{status}_0.jsonl"), f"{json.dumps(child)}\n".encode()
    jobs.bucket.put(file, body, "application/json")
    return {"Key": file, "Size": len(body)}
