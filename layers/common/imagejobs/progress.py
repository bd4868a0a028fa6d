"""A job's progress: a batch's counts, which all execution environments share, and the events that push it.

Of the counts no caller sees older ones after newer ones.

A map run may be read about once a second for the whole account. Whoever finds the kept progress too old asks, and
keeps the answer in the jobs bucket on condition that nobody else did meanwhile.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import AwareDatetime, BaseModel, ConfigDict

from imagejobs.callbacks import Optionally, without_null_defaults
from imagejobs.decided import EndState
from imagejobs.errors import JobError
from imagejobs.executions import ExecutionName, Executions
from imagejobs.job_store import JobStore
from imagejobs.workflow import Progress

_MAX_AGE = timedelta(seconds=2)


class KeptProgress(BaseModel):
    """What the map run counted, and when; without counts while there is no map run."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    as_of: AwareDatetime
    counts: Progress | None = None


class ProgressEvent(BaseModel):
    """What is posted to a job's `progressUrl`. `at` is when the job was accepted, its counts were read, or it ended."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, json_schema_extra=without_null_defaults
    )

    type: Literal["job.started", "job.progress", "job.finished"]
    job_id: str
    status: Literal["running"] | EndState
    # A batch's counts.
    progress: Optionally[Progress] = None
    at: AwareDatetime

    @property
    def webhook_id(self) -> str:
        """Its id, which a repetition of it has too; without full stops (Standard Webhooks, "Signature scheme")."""
        return f"{self.job_id}-{self.type.removeprefix('job.')}-{self.at:%Y%m%dT%H%M%S%f}"


@dataclass(frozen=True)
class ProgressReader:
    """Reads the progress of batches."""

    jobs: JobStore
    executions: Executions

    def read(self, job_id: str) -> KeptProgress | None:
        """The newest progress that was kept, or a fresh one when that is old; None where none could ever be read."""
        key = self.jobs.key(job_id, "progress.json")
        found = self.jobs.bucket.find_with_body(key)
        kept = KeptProgress.model_validate_json(found.body) if found else None
        if kept and datetime.now(UTC) - kept.as_of < _MAX_AGE:
            return kept
        try:
            as_of, run = datetime.now(UTC), self.executions.find_map_run(ExecutionName(job_id))
        except (ClientError, BotoCoreError):  # Step Functions throttles
            return kept
        fresh = KeptProgress(as_of=as_of, counts=run.progress if run else None)
        body, etag = fresh.model_dump_json(exclude_none=True).encode(), found.etag if found else None
        try:
            if self.jobs.bucket.put(key, body, "application/json", if_etag=etag, if_absent=etag is None):
                return fresh
            newer = self.jobs.bucket.find_with_body(key)
        except JobError:  # the job was erased at this moment, for example
            return kept or fresh
        return KeptProgress.model_validate_json(newer.body) if newer else fresh
