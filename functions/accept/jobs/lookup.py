"""Finding the job that a caller names."""

from functions.accept.http.problems import NotFoundError
from imagejobs.job_store import EVERYONE, JobRequest, JobStore


def known_job(job_id: str, owner: str, jobs: JobStore) -> JobRequest:
    """Give a job's request; raises NotFoundError for a job that this stack does not know, or not as this owner's."""
    request = jobs.find_request(job_id)
    if request is None or request.owner not in (owner, EVERYONE):
        raise NotFoundError(f"there is no job {job_id}: check the id. Records are deleted after some days")
    return request
