"""The list of each caller's jobs: an empty object a job in the jobs bucket, whose key says all and sorts newest first.

S3 lists keys in ascending order alone ("ListObjectsV2", API reference), so a key begins with the time that is left
until a moment far away.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import cast

from imagejobs.job_request import JobRequest
from imagejobs.storage import Bucket
from imagejobs.workflow import Operation

_END_MS = 10**13 - 1  # in the year 2286, the last moment with 13 digits
# An entry's name: the time that is left in ms, the operation, the job's id.
NAME = r"([0-9]{13})-(base64|url|batch)-([0-9a-f-]{36})"


@dataclass(frozen=True)
class Entry:
    """A job in the list; `name` is what its key ends with, and the cursor behind it."""

    name: str
    job_id: str
    operation: Operation
    created_at: datetime


def add(request: JobRequest, bucket: Bucket) -> None:
    """Put a recorded job on its caller's list; doing so twice changes nothing."""
    bucket.put(entry_key(request), b"", "application/octet-stream")


def entry_key(request: JobRequest) -> str:
    """The key of a job's entry."""
    left = _END_MS - int(request.created_at.timestamp() * 1000)
    return f"{_prefix(request.caller)}{left:013d}-{request.operation}-{request.job_id}"


def entries(caller: str, bucket: Bucket, after: str | None, page_size: int) -> Iterator[Entry]:
    """List a caller's jobs, newest first, those `after` an entry's name; it reads `page_size` of them at a time."""
    prefix = _prefix(caller)
    for key, _ in bucket.keys(prefix, after=f"{prefix}{after}" if after else None, page_size=page_size):
        if found := re.fullmatch(NAME, key.removeprefix(prefix)):
            created_at = datetime.fromtimestamp((_END_MS - int(found[1])) / 1000, UTC)
            yield Entry(found[0], found[3], cast("Operation", found[2]), created_at)


def _prefix(caller: str) -> str:
    return f"callers/{sha256(caller.encode()).hexdigest()}/"
