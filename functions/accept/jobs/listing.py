"""A page of a caller's jobs: which there are says the index, how each stands its record."""

from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from functions.accept.http.answers import JobState
from functions.accept.http.list_answers import JobList, ListedJob
from functions.accept.jobs import index
from functions.accept.jobs.read import JobReader
from imagejobs.workflow import Operation

# How many jobs one call looks at where its filters pass over them. Each takes one to three reads, and one of Step
# Functions when it is first seen without a result.
_LOOKED_AT = 200
_AT_ONCE = 20


def list_jobs(
    caller: str,
    reader: JobReader,
    limit: int,
    after: str | None = None,
    status: JobState | None = None,
    operation: Operation | None = None,
) -> JobList:
    """List up to `limit` of a caller's jobs, newest first; `after` is the `next` of the page before.

    With a filter a page may be short or empty though there is a next one.
    """
    most = limit if status is None and operation is None else _LOOKED_AT
    found = list(islice(index.entries(caller, reader.jobs.bucket, after, page_size=most + 1), most + 1))
    page: list[ListedJob] = []
    seen = 0
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        while seen < min(most, len(found)) and len(page) < limit:
            # As many as may be missing, so that none is read in vain.
            some = found[seen : min(most, seen + limit - len(page))]
            wanted = [entry for entry in some if operation in (None, entry.operation)]
            listed = pool.map(lambda entry: _listed(entry, reader), wanted)
            page += [job for job in listed if job and status in (None, job.status)]
            seen += len(some)
    return JobList(jobs=page, next=found[seen - 1].name if seen < len(found) else None)


def _listed(entry: index.Entry, reader: JobReader) -> ListedJob | None:
    """How a job stands; None when its record has expired before its entry."""
    found = reader.find_status(entry.job_id)
    if found is None:
        return None
    status, finished_at = found
    return ListedJob(
        job_id=entry.job_id,
        operation=entry.operation,
        status=status,
        created_at=entry.created_at,
        finished_at=finished_at,
    )
