"""Finding the job that a caller names."""

from functions.accept.http.problems import NotFoundError
from imagejobs.job_store import JobRequest, JobStore


def known_job(job_id: str, jobs: JobStore) -> JobRequest:
    """Give a job's request; raises NotFoundError for a job that this stack does not know."""
    request = jobs.find_request(job_id)
    if request is None:
        raise NotFoundError(f"there is no job {job_id}: check the id. Records are deleted after some days")
    return request
