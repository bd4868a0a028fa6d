"""Steering a recorded job: cancelling it, and sending its callback again."""

import json

from functions.accept.problems import ConflictError, NotFoundError
from imagejobs import redelivery
from imagejobs.callbacks import CANCELLED, failed_callback
from imagejobs.executions import ExecutionName, Executions
from imagejobs.job_store import JobRequest, JobStore
from imagejobs.redelivery import Redelivery
from imagejobs.settings import StorageSettings


def cancel(job_id: str, store: JobStore, executions: Executions, settings: StorageSettings) -> None:
    """Decide that a job was cancelled, and abort its execution; the last word brings the caller the callback.

    The decision is one conditional write, so that a result and a cancellation never both win. Workers look for it
    before they start an edit, which stops a batch's children too while Step Functions is winding them down.

    Raises:
        NotFoundError: no such job.
        ConflictError: the job has its result already.
    """
    request = _known(job_id, store)
    payload = store.decide(job_id, failed_callback(request, CANCELLED, settings))
    if json.loads(payload.body).get("error") != CANCELLED:
        raise ConflictError("the job has its result already, which its callback brings: it can no longer be cancelled")
    executions.stop(ExecutionName(job_id), error=CANCELLED, cause="cancelled by its caller")


def redeliver(job_id: str, store: JobStore, executions: Executions) -> None:
    """Start a new delivery of a job's decided payload.

    Raises:
        NotFoundError: no such job.
        ConflictError: it has no result yet, or a delivery is under way.
    """
    match redelivery.redeliver(store, executions, job_id):
        case Redelivery.UNKNOWN_JOB:
            raise _unknown(job_id)
        case Redelivery.UNDECIDED | Redelivery.UNDER_WAY as reason:
            raise ConflictError(f"{reason.value}: try again when it has ended")


def _known(job_id: str, store: JobStore) -> JobRequest:
    request = store.find_request(job_id)
    if request is None:
        raise _unknown(job_id)
    return request


def _unknown(job_id: str) -> NotFoundError:
    return NotFoundError(f"no job {job_id} here: check the id; records are deleted after some days")
