"""Finding the job that a caller names."""

import json

from functions.accept.http.problems import ConflictError, NotFoundError
from imagejobs.job_request import EVERYONE, JobRequest
from imagejobs.job_store import Erasure, JobStore
from imagejobs.settings import StorageSettings


def find_job(job_id: str, caller: str, jobs: JobStore) -> JobRequest | Erasure:
    """Give a job's request, or what stays known of an erased one.

    Raises:
        NotFoundError: this stack does not know the job, or not as this caller's.
    """
    # Another caller's job is looked up as one that is not there, call by call.
    for find in (jobs.find_request, jobs.find_erasure):
        found = find(job_id)
        if found and found.caller in (caller, EVERYONE):
            return found
    raise NotFoundError(f"there is no job {job_id}: check the id. Records are deleted after some days")


def known_job(job_id: str, caller: str, jobs: JobStore) -> JobRequest:
    """Give a job's request; raises NotFoundError as `find_job` does, and ConflictError for an erased job."""
    found = find_job(job_id, caller, jobs)
    if isinstance(found, Erasure):
        raise job_erased()
    return found


def job_erased() -> ConflictError:
    """What is told of a job whose data a request would need."""
    return ConflictError("the job's data were erased: nothing of it is left but that it existed")


def results_prefix(request: JobRequest, jobs: JobStore, settings: StorageSettings) -> str | None:
    """Where in the output bucket the job's results lie: it names the job, so that no other job's results lie there."""
    if request.operation == "base64":
        return None
    if request.operation == "url":
        return settings.url_output_prefix(request.job_id)
    # As the callback told it, whatever the stack's settings are by now.
    payload = jobs.find_payload(request.job_id)
    told: str = json.loads(payload.body)["output_prefix"] if payload else ""
    return told if request.job_id in told else settings.batch_output_prefix(request.job_id, request.output_prefix)
