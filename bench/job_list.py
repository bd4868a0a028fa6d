"""Measures GET /jobs among many jobs of one caller: a page's time and requests, with moto in S3's place.

Moto takes some 10 ms for a request and answers one at a time; S3 answers a page's 20 at once.
"""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import boto3
from moto import mock_aws
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends

from bench.figures import Figure
from functions.accept.jobs import index
from functions.accept.jobs.listing import list_jobs
from imagejobs.job_request import JobRequest
from imagejobs.job_store import JobStore
from imagejobs.storage import Bucket

JOBS = 10_000
_LIMIT = 20


class _Filler(Bucket):
    """Puts objects into moto itself: requests for thousands take minutes."""

    def put(self, key: str, body: bytes, *_: object, **__: object) -> bool:
        s3_backends[DEFAULT_ACCOUNT_ID]["aws"].put_object(self.name, key, body)
        return True


def measure(count: int = JOBS) -> Iterator[Figure]:
    """Measure the first page, one from the middle, and one whose filter passes over all that it looks at."""
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")  # noqa: S106
        client.create_bucket(Bucket="jobs")
        jobs, filler = JobStore(Bucket(client, "jobs")), JobStore(_Filler(client, "jobs"))
        began = datetime.now(UTC) - timedelta(days=1)
        for number in range(count):
            request = _request(number, began)
            filler.create(request)
            index.add(request, filler.bucket)
        middle = list(index.entries("bench", jobs.bucket, None, 1000))[count // 2].name
        asked: list[str] = []
        client.meta.events.register("before-call.s3", lambda model, **_: asked.append(model.name))
        for name, choices in (
            ("the first page", {}),
            ("a page from the middle", {"after": middle}),
            ("a page of none, by status", {"status": "failed"}),
        ):
            asked.clear()
            started = time.perf_counter()
            list_jobs("bench", jobs, _LIMIT, **choices)  # type: ignore[arg-type]
            seconds, requests = round(time.perf_counter() - started, 3), len(asked)
            title = f"GET /jobs of {count:,} jobs: {name}"
            yield Figure(title, seconds, 15, "s")
            yield Figure(f"{title}: requests to the jobs bucket", requests, 1 + 3 * 200, "")


def _request(number: int, began: datetime) -> JobRequest:
    return JobRequest(
        job_id=f"0b6f2c1e-0000-4000-8000-{number:012d}",
        caller="bench",
        operation="url",
        prompt="p",
        correlation_id="c",
        created_at=began + timedelta(seconds=number),
    )
