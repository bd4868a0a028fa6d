"""Seeing jobs, and what the service can do."""

import time
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from imagejobs_client.calls import Calls, parsed
from imagejobs_client.errors import StillRunningError, UnavailableError, UnexpectedAnswerError, UnknownJobError
from imagejobs_client.models import BatchImage, Check, Health, Job, JobSummary, Model

# How long the service is asked to hold an answer; it takes 25 s at most.
_HELD_SECONDS = 20
_ID_LENGTH = len(str(uuid.UUID(int=0)))
# Among so many jobs the beginning of an id is looked for.
_RECENT = 1000


class Readings(Calls):
    """The calls that change nothing."""

    def job(self, job_id: str, wait: int = 0) -> Job:
        """Read a job. With `wait` the answer comes when the job has changed, after so many seconds (25) at the latest.

        Example:
            print(client.job(job_id).status)
        """
        headers = {"Prefer": f"wait={wait}"} if wait else None
        return parsed(Job, self._transport.read("GET", f"/jobs/{job_id}", headers=headers))

    def watch(self, job_id: str, timeout: float | None = None, pause: float = 1) -> Iterator[Job]:
        """Read a job until it has ended, and give back each reading that is newer than the last one.

        At least `pause` seconds lie between two requests. Raises StillRunningError after `timeout` seconds.

        Example:
            for job in client.watch(job_id):
                print(job.status, job.progress)
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        newest = self.job(job_id)
        yield newest
        while not newest.ended:
            asked_at = time.monotonic()
            left = _HELD_SECONDS if deadline is None else min(_HELD_SECONDS, deadline - asked_at)
            if left <= 0:
                raise StillRunningError(newest)
            job = self.job(job_id, wait=max(1, int(left)))
            if job.is_newer_than(newest):
                newest = job
                yield newest
            if not newest.ended:
                time.sleep(max(0.0, asked_at + pause - time.monotonic()))

    def wait(self, job_id: str, timeout: float | None = None) -> Job:
        """Wait for a job's end, good or bad. Raises StillRunningError after `timeout` seconds.

        Example:
            job = client.wait(job_id, timeout=600)
        """
        *_, last = self.watch(job_id, timeout)
        return last

    def jobs(
        self, *, status: str | None = None, operation: str | None = None, limit: int | None = None
    ) -> Iterator[JobSummary]:
        """List the caller's jobs, newest first: all of them, or the first `limit`.

        Example:
            failed = list(client.jobs(status="failed", limit=20))
        """
        query = {"status": status, "operation": operation}
        for one in self._pages("/jobs", "jobs", query, limit):
            yield parsed(JobSummary, one)

    def images(self, job_id: str, status: str | None = None) -> Iterator[BatchImage]:
        """List the images of a batch, each with fresh links to its picture before and after.

        Example:
            for image in client.images(job_id, status="failed"):
                print(image.file, image.error)
        """
        for one in self._pages(f"/jobs/{job_id}/images", "images", {"status": status}):
            yield parsed(BatchImage, one)

    def _images_page(self, job_id: str, cursor: str | None) -> tuple[list[BatchImage], str | None]:
        """A page of a batch's images, and the cursor of the next one."""
        images, following = self._page(f"/jobs/{job_id}/images", "images", {"cursor": cursor})
        return [parsed(BatchImage, one) for one in images], following

    def find_job_id(self, beginning: str) -> str:
        """Find the one job of the caller's last thousand whose id begins so; a whole id is given back as it is.

        Raises UnknownJobError when there is none, or more than one.

        Example:
            job = client.job(client.find_job_id("3f2a"))
        """
        if len(beginning) == _ID_LENGTH:
            return beginning
        found = [job.job_id for job in self.jobs(limit=_RECENT) if job.job_id.startswith(beginning.lower())]
        if len(found) != 1:
            many = f"{len(found)} jobs have" if found else f"none of your last {_RECENT:,} jobs has"
            raise UnknownJobError(f"{many} an id that begins with {beginning!r}")
        return found[0]

    def models(self) -> list[Model]:
        """List the models that callers may choose.

        Example:
            names = [model.name for model in client.models()]
        """
        answer = self._transport.read("GET", "/models")
        if not isinstance(answer, dict) or not isinstance(answer.get("models"), list):
            raise UnexpectedAnswerError("GET /models: the answer has no list of models")
        return [parsed(Model, one) for one in answer["models"]]

    def health(self) -> Health:
        """Ask whether the service is up; this takes no key.

        Example:
            assert client.health().ok
        """
        return parsed(Health, self._transport.read("GET", "/health"))

    def checks(self) -> dict[str, Check]:
        """Check what the service depends on: storage, secret, state machine, engines.

        Example:
            broken = [name for name, check in client.checks().items() if not check.ok]
        """
        answer = self._transport.read("GET", "/health/deep", accept=(503,))
        if not isinstance(answer, dict) or not isinstance(answer.get("checks"), dict):
            raise UnavailableError(503, "the service could not check itself")
        return {name: parsed(Check, one) for name, one in answer["checks"].items()}

    def storage(self) -> Mapping[str, Any]:
        """Tell where images come from and go to; this takes the key, and is free.

        Example:
            bucket = client.storage()["output_bucket"]
        """
        answer = self._transport.read("GET", "/cos/config")
        if not isinstance(answer, dict):
            raise UnexpectedAnswerError("GET /cos/config: the answer is not an object")
        return answer

    def clock_difference(self) -> timedelta | None:
        """By how much this machine's clock is ahead of the service's, to a second; None if that tells no time.

        Example:
            late = client.clock_difference()
        """
        told = self._transport.request("GET", "/health").headers.get("Date")
        return datetime.now(UTC) - parsedate_to_datetime(told) if told else None
