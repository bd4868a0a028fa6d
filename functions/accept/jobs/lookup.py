"""Finding the job that a caller names."""

from functions.accept.http.problems import ConflictError, NotFoundError
from imagejobs.job_request import EVERYONE, JobRequest
from imagejobs.job_store import Erasure, JobStore


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
        raise ConflictError("the job's data were erased: nothing of it is left but that it existed")
    return found
