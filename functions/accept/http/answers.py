"""What callers get back: the body of each answer. The OpenAPI documents are made from these models."""

from typing import Annotated, ClassVar, Literal

from pydantic import AwareDatetime, Field

from functions.accept.http.model import HttpModel
from imagejobs.callbacks import BatchCallback, Optionally, UrlCallback
from imagejobs.edit_options import Background, OutputFormat
from imagejobs.job_store import DeliveryStatus
from imagejobs.workflow import Operation, Progress


class Accepted(HttpModel):
    """The job is recorded; its result will be posted to the callbackUrl."""

    accepted: Literal[True] = True
    job_id: Annotated[str, Field(description="The job's id, which the callback has too.")]


class Upload(HttpModel):
    """Where to POST the image as multipart/form-data: every one of `fields` first, then the file as field `file`."""

    image_key: str
    url: str
    fields: dict[str, str]
    expires_in: Annotated[int, Field(description="Seconds until the form expires.")]


class FolderUpload(HttpModel):
    """Where to send one file of a folder.

    By POST as multipart/form-data: every one of `fields` first, then the file as field `file`. By PUT: the file's bytes
    as they are.
    """

    filename: str
    url: str
    method: Literal["POST", "PUT"]
    fields: dict[str, str]


class UploadFolder(HttpModel):
    """Where to send the files of a folder, in the order in which they were asked for."""

    folder: Annotated[str, Field(description="The folder's id, which POST /batch-process-images takes.")]
    uploads: list[FolderUpload]
    expires_in: Annotated[int, Field(description="Seconds until the addresses expire.")]


class Health(HttpModel):
    """The service's state and the settings that a caller may want to know."""

    ok: bool
    mode: str
    callback_rewrite_enabled: bool
    max_concurrent_jobs: int
    callback_retries: int
    fallback_single_enabled: bool
    workshop_token_enabled: bool


class Check(HttpModel):
    """How one check went, and the milliseconds that it took."""

    ok: bool
    ms: int
    error: Optionally[str] = None


class DeepHealth(HttpModel):
    """What the service depends on: each part with how its check went, and in how many milliseconds."""

    ok: Annotated[bool, Field(description="Whether every check went well.")]
    checks: dict[str, Check]


class CosConfig(HttpModel):
    """Where images come from and go to; never a credential."""

    endpoint: str
    region: str
    input_bucket: str
    output_bucket: str
    input_prefix: str
    output_prefix: str
    presign_expires: int


class ModelOptions(HttpModel):
    """What a model takes of each option; an option that is absent is not taken."""

    quality: Optionally[list[str]] = None
    size: Annotated[Optionally[str], Field(description="In plain English.")] = None
    output_format: Optionally[list[OutputFormat]] = None
    output_compression: Annotated[
        Optionally[list[OutputFormat]], Field(description="The output formats that a percentage goes with.")
    ] = None
    background: Optionally[list[Background]] = None


class Price(HttpModel):
    """What a model costs in US dollars: for an edit, or for a million tokens of each kind."""

    edit: Optionally[float] = None
    text_input: Optionally[float] = None
    image_input: Optionally[float] = None
    output: Optionally[float] = None
    as_of: Annotated[Optionally[str], Field(description="The date of the source.")] = None
    source: Optionally[str] = None


class ModelInfo(HttpModel):
    """One model: who runs it, whether it edits when a request names none, and what it takes."""

    name: str
    engine: str
    default: bool
    options: ModelOptions
    mask: bool
    max_references: int
    search: bool
    needs: Annotated[list[str], Field(description="Which of these it needs: mask, references, search or size.")]
    price: Annotated[Optionally[Price], Field(description="Absent where it is not known.")] = None


class Models(HttpModel):
    """The models that a request may choose."""

    models: list[ModelInfo]


class Wait(HttpModel):
    """What a job that runs is held up by, and since when."""

    reason: Annotated[str, Field(description="Whose rate limit: waiting for OpenAI's rate limit.")]
    since: AwareDatetime


class DeliveryState(HttpModel):
    """How the delivery of the callback stands; `not_requested` for a job without a callbackUrl."""

    status: DeliveryStatus
    attempts: int
    last_error: Optionally[str] = None


class Base64Result(HttpModel):
    """The result of a base64 job, with a presigned URL in place of the bytes; `expires_in` in seconds."""

    status: Literal["completed", "failed"]
    job_id: str
    filename: Optionally[str] = None
    result_url: Optionally[str] = None
    expires_in: Optionally[int] = None
    result_mime_type: Optionally[str] = None
    error: Optionally[str] = None


class BatchResult(BatchCallback):
    """The result of a batch, with a presigned URL of its per-image report (JSONL)."""

    _free: ClassVar[frozenset[str]] = frozenset({"report_url", "expires_in"})

    report_url: Optionally[str] = None
    expires_in: Optionally[int] = None


class ModelUsed(HttpModel):
    """What one model took for a job's edits, and for answers of it that brought none."""

    engine: str
    model: Optionally[str] = None
    images: int
    input_tokens: int
    output_tokens: int
    cost_usd: Annotated[Optionally[float], Field(description="Absent where the model's price is not known.")] = None


class JobUsage(HttpModel):
    """What a job took of the models that edited it, and what that cost: an estimate by the models' prices."""

    images: Annotated[list[ModelUsed], Field(description="The images by engine and model.")]
    input_tokens: int
    output_tokens: int
    cost_usd: Annotated[
        Optionally[float], Field(description="In USD; absent where the price of any model is not known.")
    ] = None


class BatchEstimate(HttpModel):
    """What a dry run found: how many images the batch would edit, and what that would cost."""

    images: int
    cost_usd: Annotated[
        Optionally[float], Field(description="In USD; absent where the model's price is not known.")
    ] = None


type JobState = Literal["queued", "running", "completed", "completed_with_errors", "failed", "cancelled", "erased"]


class Job(HttpModel):
    """A job as it stands now."""

    job_id: str
    operation: Operation
    status: JobState
    created_at: AwareDatetime
    finished_at: Optionally[AwareDatetime] = None
    retry_of: Annotated[Optionally[str], Field(description="The batch whose failed images this one edits again.")] = (
        None
    )
    progress: Optionally[Progress] = None
    waiting: Optionally[Wait] = None
    result: Optionally[Base64Result | UrlCallback | BatchResult] = None
    note: Annotated[
        Optionally[str],
        Field(description="What was done to a single image before its edit, when that changes the result."),
    ] = None
    engine: Annotated[Optionally[str], Field(description="Which engine edited a single image.")] = None
    model: Annotated[Optionally[str], Field(description="Which of its models did.")] = None
    ai_generated: Annotated[Optionally[bool], Field(description="Whether an AI made a single image's edit.")] = None
    stands_in_for: Annotated[
        Optionally[str],
        Field(description="The engine whose billing limit was reached, when another one edited a single image."),
    ] = None
    usage: Optionally[JobUsage] = None
    estimate: Optionally[BatchEstimate] = None
    delivery: DeliveryState
    as_of: Annotated[
        AwareDatetime,
        Field(description="When status and progress were read: of two answers, the one with the later time is newer."),
    ]
    error: Optionally[str] = None
    erased_at: Optionally[AwareDatetime] = None


class JobAction(HttpModel):
    """What was asked of a job is under way."""

    accepted: Literal[True] = True
    job_id: str


class Problem(HttpModel):
    """Why a request was refused, and what to do about it."""

    detail: str


class InvalidField(HttpModel):
    """One invalid part of a request: where it is, what is wrong with it and pydantic's name for that."""

    loc: list[str | int]
    msg: str
    type: str


class ValidationProblem(HttpModel):
    """Why a body, header or path was refused: every invalid part."""

    detail: list[InvalidField]
