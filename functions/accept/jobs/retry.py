"""Editing the failed images of a finished batch again, as a batch of its own."""

import json
from typing import Any

from functions.accept.http.bodies import BatchRequest
from functions.accept.http.problems import ConflictError
from functions.accept.jobs.lookup import known_job
from imagejobs.job_request import JobRequest
from imagejobs.job_store import JobStore


def find_retriable(job_id: str, caller: str, jobs: JobStore) -> JobRequest:
    """Give the request of a caller's finished batch of which images failed.

    Raises:
        NotFoundError: there is no such job.
        ConflictError: it is not a batch, it has not ended, or none of its images failed.
    """
    request = known_job(job_id, caller, jobs)
    if request.operation != "batch":
        raise ConflictError("only a batch can be retried: post the image again")
    payload = jobs.find_payload(job_id)
    if payload is None:
        known_job(job_id, caller, jobs)  # erased since it was found?
        raise ConflictError("the batch has no result yet: try again when it has ended")
    result = json.loads(payload.body)
    if result["failed"] or (_is_uncounted(result) and jobs.has_manifest(job_id)):
        return request
    raise ConflictError(
        "the batch ended before any image was edited: post it again"
        if _is_uncounted(result)
        else "none of the batch's images failed: there is nothing to retry"
    )


def _is_uncounted(result: dict[str, Any]) -> bool:
    """Whether a batch was ended without counts: it had edited nothing, or Step Functions could not be asked."""
    return result["status"] == "failed" and not result["total_files"]


def body_of_retry(request: JobRequest) -> BatchRequest:
    """What a batch asked for, without the choices of its images: the earlier report makes the choice."""
    choices = set(BatchRequest.model_fields) - {"prefix", "max_files"}
    options = request.options.chosen if request.options else {}
    # Checked when it was posted, and not anew: the owner may have changed since what callers may choose.
    return BatchRequest.model_construct(**request.model_dump(include=choices) | options)
