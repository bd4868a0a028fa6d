"""What was paid for answers that brought no image. The attempts that paid are over, and their errors hold no figures.

Each is an empty object of the job's record, `jobs/{job_id}/spent/{image}-{attempt}/{what it took}`: the key says it
all, so that one request lists a thousand of them.
"""

from collections.abc import Iterator
from urllib.parse import parse_qsl, urlencode

from imagejobs.job_store import JobStore
from imagejobs.storage import Bucket
from imagejobs.usage import ModelUsage
from imagejobs.workflow import EditRequest


def put_spent(bucket: Bucket, request: EditRequest, usage: ModelUsage) -> None:
    """Record what an attempt at an image took in vain."""
    took = urlencode(usage.model_dump(mode="json", exclude_none=True))
    name = f"spent/{request.at or 0}-{request.attempt}/{took}"
    bucket.put(JobStore.key(request.job_id, name), b"", "text/plain")


def list_spent(bucket: Bucket, job_id: str) -> Iterator[ModelUsage]:
    """List what a job's attempts took in vain."""
    for key, _ in bucket.keys(JobStore.key(job_id, "spent/")):
        yield ModelUsage.model_validate(dict(parse_qsl(key.rpartition("/")[2])))
