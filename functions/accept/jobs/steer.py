"""Steering a recorded job: cancelling it, and sending its callback again."""

import json
import math
from datetime import UTC, datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError

from functions.accept.http.problems import ConflictError, TooManyRequestsError
from functions.accept.jobs.lookup import job_erased, known_job
from functions.accept.settings import RedeliveryLimits
from imagejobs.callbacks import CANCELLED, NOTHING_MADE, failed_callback
from imagejobs.executions import ExecutionName, Executions
from imagejobs.job_request import JobRequest
from imagejobs.job_store import Delivery, JobStore
from imagejobs.settings import StorageSettings
from imagejobs.workflow import BatchCounts


class DeliveryUnderWayError(ConflictError):
    """The callback is being delivered at this moment."""


def cancel(request: JobRequest, jobs: JobStore, executions: Executions, settings: StorageSettings) -> None:
    """Decide that a job was cancelled, and abort its execution; the last word brings the caller the callback.

    The decision is one conditional write, so that a result and a cancellation never both win. Workers look for it
    before they start an edit, which stops a batch's children too while Step Functions is winding them down.

    Raises:
        ConflictError: the job has its result already, or was erased.
    """
    made = _made(request.job_id, executions) if request.operation == "batch" else NOTHING_MADE
    payload = jobs.decide(request.job_id, failed_callback(request, CANCELLED, settings, made))
    if jobs.find_erasure(request.job_id):  # meanwhile, so that it may have been decided anew
        jobs.bucket.delete_all([jobs.key(request.job_id, "callback.json")])
        raise job_erased()
    if json.loads(payload.body).get("error") != CANCELLED:
        raise ConflictError("the job has its result already, which its callback brings: it can no longer be cancelled")
    own = ExecutionName(request.job_id)
    if not executions.stop(own, error=CANCELLED, cause="cancelled by its caller") and request.callback_url:
        # It never began, so no last word will follow its end. A post that is starting it finds its name taken.
        executions.start(own, "deliver")


def _made(job_id: str, executions: Executions) -> BatchCounts:
    """What a batch came to until now; nothing while Step Functions throttles: a cancellation must not wait."""
    try:
        run = executions.find_map_run(ExecutionName(job_id))
    except (ClientError, BotoCoreError):
        return NOTHING_MADE
    return run.progress.as_batch() if run else NOTHING_MADE


def find_redeliverable(job_id: str, caller: str, jobs: JobStore) -> JobRequest:
    """Give the request of a caller's job that has a receiver; raises NotFoundError and ConflictError for any other."""
    request = known_job(job_id, caller, jobs)
    if request.callback_url is None:
        raise ConflictError(
            "the job was posted without a callbackUrl, so there is no callback to send again: read its result by "
            "GET /jobs/{job_id}"
        )
    return request


def redeliver(job_id: str, jobs: JobStore, executions: Executions, limits: RedeliveryLimits | None = None) -> None:
    """Start a new delivery of a job's decided payload; of simultaneous callers, one starts it.

    `POST /jobs/{job_id}/redeliver` does this for a job that is known, and `make redeliver` without limits.

    Raises:
        ConflictError: the job has no result yet, or its decided payload is gone.
        DeliveryUnderWayError: a delivery is under way.
        TooManyRequestsError: the limits allow no redelivery now.
    """
    delivery = jobs.get_delivery(job_id)
    if not jobs.has_payload(job_id):
        _give_last_word(job_id, delivery, executions)
        return
    under_way = DeliveryUnderWayError("a delivery is under way: try again when it has ended")
    if delivery.status == "pending" and _is_carried_out(job_id, delivery.round, executions):
        raise under_way
    if delivery.is_posted_by_another(None):  # by a worker whose execution was stopped
        raise under_way
    now = datetime.now(UTC)
    if limits:
        _require_within(limits, delivery, now)
    following = delivery.model_copy(
        update={
            "status": "pending",
            "last_error": None,
            "giving_up": False,
            "posting": None,
            "round": delivery.round + 1,
            "redelivered_at": now,
        }
    )
    if not jobs.put_delivery(job_id, following):
        raise under_way
    executions.start(ExecutionName(job_id, "redelivery", following.round), "deliver")


def _give_last_word(job_id: str, delivery: Delivery, executions: Executions) -> None:
    """Start the last word of a job that ended without it: events of Step Functions are sent at best effort.

    Raises:
        ConflictError: the job has no result yet, or had one. Another payload is not decided: a receiver may know it.
    """
    status = executions.find_status(ExecutionName(job_id))
    if delivery.etag is None and status in (None, "RUNNING"):
        raise ConflictError("the job has no result yet: try again when it has ended")
    was_decided = delivery.etag is not None or status == "SUCCEEDED"
    if was_decided or not executions.start(ExecutionName(job_id, "last-word"), "deliver"):
        raise ConflictError(
            "the callback cannot be sent again: what it said was deleted from the jobs bucket. Post the job again, or "
            "ask whoever runs the service"
        )


def _require_within(limits: RedeliveryLimits, delivery: Delivery, now: datetime) -> None:
    if delivery.round >= limits.count:
        raise TooManyRequestsError(
            f"the callback was sent again {delivery.round} times already, as often as this service allows for one job: "
            "read the result by GET /jobs/{job_id}, or ask whoever runs the service",
            # That time alone changes nothing, but after the owner has raised the limit nobody should wait for long.
            retry_after=3600,
        )
    if delivery.redelivered_at is None:
        return
    rest = delivery.redelivered_at + timedelta(seconds=limits.interval_seconds) - now
    if rest > timedelta(0):
        seconds = math.ceil(rest.total_seconds())
        raise TooManyRequestsError(
            f"the callback was sent again less than {limits.interval_seconds} s ago: try again in {seconds} s",
            retry_after=seconds,
        )


def _is_carried_out(job_id: str, round_: int, executions: Executions) -> bool:
    """Tell whether an execution carries a pending delivery out, and see to it that one does.

    A pending delivery whose executions have all ended could not be recorded, since the storage failed: it may begin
    anew.
    """
    if round_ == 0:
        names = ExecutionName(job_id), ExecutionName(job_id, "last-word")
        return any(executions.find_status(name) == "RUNNING" for name in names)
    name = ExecutionName(job_id, "redelivery", round_)
    status = executions.find_status(name)
    if status is None:
        # Whoever began this round has not started its execution: not yet, or never will. By its name, it starts once.
        executions.start(name, "deliver")
        return True
    return status == "RUNNING"
