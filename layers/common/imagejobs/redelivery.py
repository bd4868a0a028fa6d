"""Sending a job's decided payload once more, on request: by `POST /jobs/{id}/redeliver` and `tools/redeliver.py`."""

from enum import Enum

from imagejobs.executions import ExecutionName, Executions
from imagejobs.job_store import JobStore


class Redelivery(Enum):
    """What became of the wish to deliver again."""

    STARTED = "started"
    UNKNOWN_JOB = "unknown job"
    UNDECIDED = "the job has no result yet"
    UNDER_WAY = "a delivery is under way"


def redeliver(store: JobStore, executions: Executions, job_id: str) -> Redelivery:
    """Start a new delivery of a job's payload, unless one is under way; of simultaneous callers, one starts it."""
    if store.find_request(job_id) is None:
        return Redelivery.UNKNOWN_JOB
    # Events of Step Functions are sent at best effort: a job that ended without its last word gets it here.
    if not store.has_payload(job_id) and executions.status(ExecutionName(job_id)) in (None, "RUNNING"):
        return Redelivery.UNDECIDED
    delivery = store.get_delivery(job_id)
    if delivery.status == "pending" and _under_way(executions, job_id, delivery.round):
        return Redelivery.UNDER_WAY
    following = delivery.model_copy(update={"status": "pending", "last_error": None, "round": delivery.round + 1})
    if not store.put_delivery(job_id, following):
        return Redelivery.UNDER_WAY
    executions.start(ExecutionName(job_id, "redelivery", following.round), "deliver")
    return Redelivery.STARTED


def _under_way(executions: Executions, job_id: str, round_: int) -> bool:
    """Tell whether something carries a pending delivery out, and see to it that something does.

    A pending delivery whose executions have all ended was carried out without a word in the job's record, for want of
    storage: it may begin anew.
    """
    if round_ == 0:
        names = ExecutionName(job_id), ExecutionName(job_id, "last-word")
        return any(executions.status(name) == "RUNNING" for name in names)
    name = ExecutionName(job_id, "redelivery", round_)
    status = executions.status(name)
    if status is None:
        # Whoever began this round has not started its execution: not yet, or never will. By its name, it starts once.
        executions.start(name, "deliver")
        return True
    return status == "RUNNING"
