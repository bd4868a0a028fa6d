"""Erasing a finished job: its input, prompt, result and callback go, and that it existed stays known."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

from functions.accept.http.problems import ConflictError, NotConfiguredError
from functions.accept.jobs.lookup import results_prefix
from imagejobs.errors import StorageRejectedError
from imagejobs.executions import ExecutionName, Executions
from imagejobs.job_request import JobRequest
from imagejobs.job_store import Delivery, Erasure, JobStore
from imagejobs.settings import StorageSettings
from imagejobs.storage import MAX_DELETED_AT_ONCE, Bucket
from imagejobs.upload_folders import images_prefix

# How long one call erases; API Gateway waits 29 s for it.
SECONDS = 20.0
# After an execution was stopped, an edit that had begun goes on for up to 300 s, and keeps its result.
WIND_DOWN = timedelta(minutes=6)


def begin(request: JobRequest, jobs: JobStore, executions: Executions, settings: StorageSettings) -> Erasure:
    """Turn a finished job's record into the note that it was erased; raises ConflictError for one that is not finished.

    From here on the job has no prompt, no callbackUrl and no file name, and nothing more can be delivered.
    """
    try:
        delivery = _delivery_of_finished(request, jobs, executions)
    except ConflictError:
        if begun := jobs.find_erasure(request.job_id):  # by another call, meanwhile
            return begun
        raise
    erasure = Erasure(
        job_id=request.job_id,
        caller=request.caller,
        operation=request.operation,
        created_at=request.created_at,
        erased_at=datetime.now(UTC),
        delivery=delivery.model_copy(update={"last_error": None}),
        outputs=results_prefix(request, jobs, settings),
        # A retry reads the folder that belongs to the batch before it.
        inputs=images_prefix(request, settings) if request.folder and not request.retry_of else None,
    )
    jobs.put_erasure(erasure)
    uploaded = [request.image_key, request.mask_key, *(request.reference_keys or ())]
    jobs.bucket.delete_all([*filter(None, uploaded), jobs.key(request.job_id, "request.json")])
    return erasure


def finish(erasure: Erasure, jobs: JobStore, outputs: Bucket, inputs: Bucket) -> bool:
    """Erase what a job has left; False when there was not time for all of it. Doing so twice does no harm.

    Raises:
        NotConfiguredError: the storage does not let this service delete the images.
    """
    deadline = time.monotonic() + SECONDS
    if not _emptied(jobs.bucket, jobs.key(erasure.job_id, ""), deadline, keep=jobs.erasure_key(erasure.job_id)):
        return False
    places = ((outputs, erasure.outputs), (inputs, erasure.inputs))
    try:
        if not all(_emptied(bucket, prefix, deadline) for bucket, prefix in places if prefix):
            return False
    except StorageRejectedError as error:
        raise NotConfiguredError(
            "the storage refused to erase the job's images; everything else is erased. Ask whoever runs the service "
            "for the right to delete objects of the image buckets, then send this request again"
        ) from error
    if erasure.outputs or erasure.inputs:
        jobs.put_erasure(erasure.model_copy(update={"outputs": None, "inputs": None}))  # they may name a person
    return True


def _delivery_of_finished(request: JobRequest, jobs: JobStore, executions: Executions) -> Delivery:
    """How the delivery of a finished job ended; raises ConflictError while something may still be read or written."""
    if not jobs.has_payload(request.job_id):
        raise ConflictError("the job has no result yet: cancel it, or try again when it has ended")
    delivery = jobs.delivery_of(request)
    own = ExecutionName(request.job_id)
    delivering = ExecutionName(request.job_id, "redelivery", delivery.round) if delivery.round else own
    names = dict.fromkeys([own, ExecutionName(request.job_id, "last-word"), delivering])
    found = {name: execution for name in names if (execution := executions.find(name))}
    states = {execution["status"] for execution in found.values()}
    if "RUNNING" in states:
        raise ConflictError("the job's callback is still being delivered: try again when that has ended")
    if delivery.status == "pending" and "SUCCEEDED" not in states:
        raise ConflictError(
            "the job's callback was neither delivered nor given up yet: try again in some minutes, or ask for it by "
            "POST /jobs/{job_id}/redeliver"
        )
    if own in found and found[own]["status"] != "SUCCEEDED":
        _require_wound_down(found[own]["stopDate"])
    return delivery


def _require_wound_down(stopped_at: datetime) -> None:
    rest = stopped_at + WIND_DOWN - datetime.now(UTC)
    if rest > timedelta(0):
        seconds = int(rest.total_seconds()) + 1
        raise ConflictError(
            f"the job was stopped a moment ago, and an edit that had begun may still end: try again in {seconds} s",
            {"Retry-After": str(seconds)},
        )


def _emptied(bucket: Bucket, prefix: str, deadline: float, keep: str | None = None) -> bool:
    """Delete every object under a prefix but one; False when the deadline came first."""

    def left() -> Iterator[str]:
        return (key for key, _ in bucket.keys(prefix) if key != keep)

    while some := list(islice(left(), MAX_DELETED_AT_ONCE)):
        if time.monotonic() > deadline:
            return False
        bucket.delete_all(some)
    return True
