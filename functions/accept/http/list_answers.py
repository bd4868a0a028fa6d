"""What callers get back where there is more of it than one answer holds: pages of jobs, and of a batch's images."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from functions.accept.http.answers import JobState
from functions.accept.http.model import HttpModel
from imagejobs.callbacks import Optionally
from imagejobs.workflow import Operation


class ListedJob(HttpModel):
    """A job in a list."""

    job_id: str
    operation: Operation
    status: JobState
    created_at: AwareDatetime
    finished_at: Optionally[AwareDatetime] = None


# As plain alias: to pydantic a `type` statement would be a definition of its own.
_Next = Annotated[Optionally[str], Field(description="The cursor of the next page, where there is one.")]


class JobList(HttpModel):
    """A page of the caller's jobs, newest first."""

    jobs: list[ListedJob]
    next: _Next = None


class JobImage(HttpModel):
    """What became of one image of a batch; sizes in bytes, time in ms."""

    file: Annotated[str, Field(description="Its name below the folder that the batch read.")]
    status: Literal["completed", "failed"]
    error: Optionally[str] = None
    note: Optionally[str] = None
    engine: Optionally[str] = None
    model: Optionally[str] = None
    ai_generated: Optionally[bool] = None
    stands_in_for: Optionally[str] = None
    input_tokens: Optionally[int] = None
    output_tokens: Optionally[int] = None
    cost_usd: Optionally[float] = None
    bytes_in: Optionally[int] = None
    bytes_out: Optionally[int] = None
    ms: Optionally[int] = None
    attempts: Optionally[int] = None
    before_url: Optionally[str] = None
    after_url: Optionally[str] = None


class JobImageList(HttpModel):
    """A page of a batch's images; before its report is written, of those that have an edit by then."""

    images: list[JobImage]
    next: _Next = None
    expires_in: Annotated[int, Field(description="Seconds until the links expire.")]
