"""Posts a job's progress to its `progressUrl`, at best effort: nothing that happens here touches the job.

The state machine asks again and again, in an execution of its own, until the answer has no `wait_seconds`.
"""

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal

from aws_lambda_powertools import Logger
from pydantic import BaseModel, ConfigDict, Field

from functions.callback.posting import Poster
from functions.callback.settings import CallbackSettings
from imagejobs.decided import find_decision
from imagejobs.errors import CallbackGoneError, CallbackRefusedError, JobError
from imagejobs.job_request import JobRequest
from imagejobs.observability import loggable_error, loggable_url
from imagejobs.outbound.network import NETWORK, Network
from imagejobs.progress import ProgressEvent, ProgressReader
from imagejobs.resources import Resources
from imagejobs.workflow import Progress

# After so many posts in a row that failed, no further one is made.
MAX_FAILURES = 10
# A wait takes at least this part of the job's age. So a job of 6 days is looked at 725 times and one of a year 1,140
# times, with 9 events each: an execution's history ends at 25,000 events (Step Functions Developer Guide, "Quotas").
_SHARE_OF_AGE = 1 / 100


class Reports(BaseModel):
    """How far a job's posts are: what the execution carries from one of them to the next, and nothing besides."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    job_id: str
    started: bool = False
    # The counts that the receiver was told last.
    counts: Progress | None = None
    # Posts in a row that failed.
    failures: Annotated[int, Field(ge=0)] = 0
    # None when there is nothing more to post.
    wait_seconds: int | None = None


class ReportRequest(BaseModel):
    """Input of `callback` for one look at a job, and a post where there is news; its output is `Reports`."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    action: Literal["report_progress"]
    reports: Reports


def wait_seconds(age: float, least: int) -> int:
    """How long to wait before the next look at a job of this age, in seconds."""
    return max(least, math.ceil(age * _SHARE_OF_AGE))


@dataclass(frozen=True)
class ProgressReporter:
    """Posts progress."""

    resources: Resources[CallbackSettings]
    logger: Logger
    network: Network = NETWORK

    def report(self, before: Reports) -> Reports:
        """Look at the job, post what is new, and say how long to wait for the next look.

        Raises:
            JobError: the storage or the signing key cannot be read.
        """
        request = self.resources.jobs.find_request(before.job_id)
        if request is None or request.progress_url is None:  # the job was erased
            return before.model_copy(update={"wait_seconds": None})
        event = self._news(request, before)
        error = self._post(request, request.progress_url, event) if event else None
        age = (datetime.now(UTC) - request.created_at).total_seconds()
        wait = wait_seconds(age, self.resources.settings.progress_seconds)
        after = before.model_copy(update={"wait_seconds": wait})
        if event is None:
            return after
        if error:
            after = after.model_copy(update={"failures": before.failures + 1})
            over = after.failures >= MAX_FAILURES or isinstance(error, CallbackGoneError | CallbackRefusedError)
        else:
            after = after.model_copy(update={"started": True, "counts": event.progress, "failures": 0})
            over = event.type == "job.finished"
        return after.model_copy(update={"wait_seconds": None}) if over else after

    def _news(self, request: JobRequest, before: Reports) -> ProgressEvent | None:
        """What the receiver does not know yet. The first event says that the job started, however far it is by now."""
        job_id = request.job_id
        if not before.started:
            return ProgressEvent(type="job.started", job_id=job_id, status="running", at=request.created_at)
        if decision := find_decision(job_id, self.resources.jobs):
            counts = _final_counts(decision.payload) if request.operation == "batch" else None
            return ProgressEvent(
                type="job.finished", job_id=job_id, status=decision.status, progress=counts, at=decision.decided_at
            )
        if request.operation != "batch":
            return None
        kept = ProgressReader(self.resources.jobs, self.resources.executions).read(job_id)
        if kept is None or kept.counts is None or kept.counts == before.counts:
            return None
        return ProgressEvent(type="job.progress", job_id=job_id, status="running", progress=kept.counts, at=kept.as_of)

    def _post(self, request: JobRequest, url: str, event: ProgressEvent) -> JobError | None:
        body = event.model_dump_json(exclude_none=True).encode()
        result = Poster(self.resources, self.network).post(request, url, event.webhook_id, body)
        log = self.logger.warning if result.error else self.logger.info
        log(
            "progress not posted" if result.error else "progress posted",
            extra={
                "job_id": request.job_id,
                "correlation_id": request.correlation_id,
                "type": event.type,
                "status": result.status,
                "ms": result.milliseconds,
                "receiver": loggable_url(url),
                "error": loggable_error(result.error) if result.error else None,
            },
        )
        return result.error


def _final_counts(payload: dict[str, int]) -> Progress:
    return Progress(
        total=payload["total_files"],
        succeeded=payload["processed"],
        failed=payload["failed"],
        running=0,
        pending=0,
    )
