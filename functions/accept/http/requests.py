"""What callers send, a whole request each. The OpenAPI documents are made from these models.

A request is read as one model, so that everything that is wrong with it is told at once. The settings are the
validation context: they say which URLs may be called.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, Json, StringConstraints

from functions.accept.http.answers import JobState
from functions.accept.http.bodies import BatchRequest, ImageRequest
from functions.accept.http.headers import CallerHeaders, RetryHeaders, SubmissionHeaders, TokenHeaders, WaitHeaders
from functions.accept.http.model import HttpModel
from functions.accept.http.upload_bodies import AnyUpload
from functions.accept.http.validators import Fits
from functions.accept.jobs import index
from functions.accept.jobs.batch_images import CURSOR
from imagejobs.callbacks import Optionally
from imagejobs.executions import JOB_ID_PATTERN
from imagejobs.workflow import Operation


def _cursor(pattern: str) -> Any:
    return Fits(rf"^{pattern}$", "expected the `next` of an earlier answer to this request")


class JobPath(HttpModel):
    """The path of a route about one job."""

    job_id: Annotated[
        str,
        Field(description="The job's id, a UUID: the answer that started the job, and its callback, have it."),
        StringConstraints(to_lower=True),
        Fits(JOB_ID_PATTERN, "expected a UUID, as the 202 answer gave it", "uuid_parsing"),
    ]


class OpenRequest(HttpModel):
    """A request to a route that is open to everyone. Its fields are the parts of a request, where a `loc` begins."""

    header: CallerHeaders


class HealthQuery(HttpModel):
    """The query of GET /health."""

    deep: Annotated[
        bool, Field(description="With 1 the answer leads to GET /health/deep, which asks for a key or a token.")
    ] = False


class HealthRequest(OpenRequest):
    """A request that asks how the service is."""

    query: HealthQuery


class Request(OpenRequest):
    """A request without a body to a route that asks for the token, as all further ones do."""

    header: TokenHeaders


class JobAddress(Request):
    """A request about one job."""

    path: JobPath


class JobReading(JobAddress):
    """A request to see a job, perhaps when there is news of it."""

    header: WaitHeaders


class _PageQuery(HttpModel):
    limit: Annotated[int, Field(ge=1, le=100, description="How many entries at most.")] = 20


class JobsQuery(_PageQuery):
    """The query of GET /jobs."""

    cursor: Annotated[Optionally[str], _cursor(index.NAME)] = None
    status: Annotated[Optionally[JobState], Field(description="Only jobs with this status.")] = None
    operation: Annotated[Optionally[Operation], Field(description="Only jobs of this operation.")] = None


class JobsListing(Request):
    """A request for a page of the caller's jobs."""

    query: JobsQuery


class ImagesQuery(_PageQuery):
    """The query of GET /jobs/{job_id}/images."""

    cursor: Annotated[Optionally[str], _cursor(CURSOR)] = None
    status: Annotated[
        Optionally[Literal["completed", "failed"]], Field(description="Only images with this outcome.")
    ] = None


class ImagesListing(JobAddress):
    """A request for a page of a batch's images."""

    query: ImagesQuery


class RetrySubmission(JobAddress):
    """A request that starts a batch of an earlier one's failed images."""

    header: RetryHeaders


class UploadSubmission(Request):
    """A request for an upload form, or for those of a folder."""

    body: Json[AnyUpload]


class ImageSubmission(Request):
    """A request that starts the edit of one image."""

    header: SubmissionHeaders
    body: Json[ImageRequest]


class BatchSubmission(Request):
    """A request that starts a batch."""

    header: SubmissionHeaders
    body: Json[BatchRequest]
