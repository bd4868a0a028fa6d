"""What travels through the state machine: small JSON, never image bytes, a prompt or a callback URL.

Everything a state needs beyond these few fields lies in the jobs bucket under the job's id (see `job_store`).
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

type Operation = Literal["base64", "url", "batch"]


class _Message(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class CaughtError(_Message):
    """What a Catch leaves behind (Step Functions' own spelling of the fields)."""

    error: Annotated[str, Field(alias="Error")]
    cause: Annotated[str, Field(alias="Cause")] = ""


class EditRequest(_Message):
    """Input of `process_image`: one image of one job. `key` names an object of the input bucket (batch only)."""

    job_id: str
    operation: Operation
    key: str | None = None
    # How many times this image was tried before, by the state machine's Retry and after rate limits together.
    retries: Annotated[int, Field(ge=0)] = 0
    # How many of those were waits that OpenAI's Retry-After asked for.
    rate_limited: Annotated[int, Field(ge=0)] = 0


class EditedImage(_Message):
    """Output of `process_image`: where the edited image lies and what it took. Sizes in bytes, time in ms."""

    status: Literal["edited"] = "edited"
    key: str | None
    output_key: str
    content_type: str
    engine: Literal["openai", "local_fallback"]
    attempts: Annotated[int, Field(ge=1)]
    bytes_in: int
    bytes_out: int
    ms: int
    # What was done to the input before it was sent, when that changes what the caller gets ("scaled down to …").
    note: str | None = None


class RateLimited(_Message):
    """Output of `process_image` when OpenAI answered 429 with Retry-After: the state machine waits, then asks again."""

    status: Literal["rate_limited"] = "rate_limited"
    wait_seconds: Annotated[int, Field(ge=1)]
    rate_limited: Annotated[int, Field(ge=1)]


class FailedImage(_Message):
    """What becomes of an image whose edit ended in an error: a child execution's output, not its failure."""

    status: Literal["failed"] = "failed"
    key: str
    error: CaughtError


class Manifest(_Message):
    """Output of ListImages: a JSONL object of the jobs bucket, one `{"key": …}` a line."""

    manifest_key: str
    total_files: int


class BatchSummary(_Message):
    """Output of SummarizeBatch: the counts of the callback. `report_key` is the JSONL report in the output bucket."""

    total_files: int
    processed: int
    failed: int
    fallback_local: int
    errors: list[str]
    report_key: str


class DeliverRequest(_Message):
    """Input of `callback` for one delivery attempt; exactly one of the results, or the error, is set on the first."""

    action: Literal["deliver"]
    job_id: str
    retries: Annotated[int, Field(ge=0)] = 0
    image: EditedImage | None = None
    summary: BatchSummary | None = None
    error: CaughtError | None = None


class DeadLetterRequest(_Message):
    """Input of `callback` when delivery is given up: `error` is what the last attempt ended with."""

    action: Literal["dead_letter"]
    job_id: str
    error: CaughtError
