"""What travels through the state machine: small JSON, never image bytes, a prompt or a callback URL.

Everything a state needs beyond these few fields lies in the jobs bucket under the job's id (see `job_store`).
"""

from typing import Annotated, Literal
from urllib.parse import quote, unquote

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from imagejobs.catalogue import LOCAL
from imagejobs.usage import ModelUsage, Tokens

# The per-image report of a batch, under the prefix of its results.
REPORT_NAME = "report.jsonl"

type Operation = Literal["base64", "url", "batch"]


class _Message(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)


class CaughtError(_Message):
    """What a Catch leaves behind (Step Functions' own spelling of the fields)."""

    error: Annotated[str, Field(alias="Error")]
    cause: Annotated[str, Field(alias="Cause")] = ""


class Waited(_Message):
    """What an image went through until its last wait; the state machine carries it, and counts throttled calls out."""

    # How many attempts there were, and how many of them a rate limit refused.
    attempts: Annotated[int, Field(ge=0)] = 0
    rate_limited: Annotated[int, Field(ge=0)] = 0
    # Whose rate limit it waits for. (An execution that began under an earlier version does not say.)
    engine: str = "openai"
    # Its place among the images that wait (`process_image.pacing`); 0 for none.
    ticket: Annotated[int, Field(ge=0)] = 0
    since: AwareDatetime | None = None
    # How long its next wait is at most, should Lambda have no room for it (state CountThrottle).
    throttle_seconds: Annotated[int, Field(gt=1)] = 5


class _Attempt(_Message):
    # How many times the state machine's Retry tried this image before, since the last wait.
    retries: Annotated[int, Field(ge=0)] = 0
    waited: Waited = Waited()

    @property
    def attempt(self) -> int:
        """Which attempt at the image this is, from 1."""
        return self.waited.attempts + self.retries + 1


class EditRequest(_Attempt):
    """Input of `process_image`: one image of one job. `at` says where a batch's manifest names it (`ManifestLine`).

    With `collect_only` nobody is asked for an edit: the one that an earlier attempt kept is found, or there is none.
    With `may_hand_over`, a picture that the function's memory may not hold is left to the larger function.
    """

    job_id: str
    operation: Operation
    at: Annotated[int, Field(ge=0)] | None = None
    collect_only: bool = False
    may_hand_over: bool = False

    def has_had(self, attempts: int) -> bool:
        """Tell whether an image that waited after one of its attempts has had as many: Step Functions counts anew."""
        failed = self.waited.attempts - self.waited.rate_limited
        return failed > 0 and failed + self.retries >= attempts


class EditedImage(_Message):
    """Output of `process_image`: what the edit is and what it took. Sizes in bytes, time in ms.

    `output_keys.output_key` tells where it lies.
    """

    status: Literal["edited"] = "edited"
    content_type: str
    engine: str
    # None for an edit that an earlier version kept, as are its tokens and its cost.
    model: str | None = None
    # The engine whose billing limit was reached, so that this one stood in; None for an edit by the job's own model.
    stands_in_for: str | None = None
    attempts: Annotated[int, Field(ge=1)]
    bytes_in: int
    bytes_out: int
    ms: int
    input_tokens: Tokens | None = None
    output_tokens: Tokens | None = None
    # An estimate; None where the model's price is not known.
    cost_usd: float | None = None
    # What was done to the input before it was sent, when that changes what the caller gets ("scaled down to …").
    note: str | None = None

    @property
    def ai_generated(self) -> bool:
        """Whether an AI made the picture."""
        return self.engine != LOCAL

    @property
    def usage(self) -> ModelUsage:
        """What the edit took."""
        return ModelUsage.of_image(self)

    def metadata(self) -> dict[str, str]:
        """What `of_object` cannot read off the edit's object itself. Its values are ASCII, as S3 wants them."""
        kept = self.model_dump(mode="json", include=_KEPT, exclude_none=True)
        return {name.replace("_", "-"): quote(str(value), safe=_ASCII) for name, value in kept.items()}

    @classmethod
    def of_object(cls, size: int, content_type: str, metadata: dict[str, str], attempts: int) -> "EditedImage | None":
        """The edit that an object of the storage is; None for any other object."""
        if "engine" not in metadata:
            return None
        kept = {name: unquote(metadata[key]) for name in _KEPT if (key := name.replace("_", "-")) in metadata}
        return cls.model_validate(kept | {"content_type": content_type, "attempts": attempts, "bytes_out": size})


# The fields that an edit's object keeps as its metadata, and what of ASCII stays as it is there.
_KEPT = {"engine", "model", "stands_in_for", "bytes_in", "ms", "input_tokens", "output_tokens", "cost_usd", "note"}
_ASCII = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")


class RateLimited(Waited):
    """Output of `process_image` while an image waits for a rate limit: the state machine waits, then asks again.

    `wait_seconds` is whole, as a Wait state takes it (Step Functions Developer Guide, "Wait").
    """

    status: Literal["rate_limited"] = "rate_limited"
    wait_seconds: Annotated[int, Field(ge=0)]


class HandedOver(Waited):
    """Output of `process_image` where a picture may take more memory than the function has: the larger one edits it."""

    status: Literal["handed_over"] = "handed_over"


class ImageFailure(_Attempt):
    """The `Cause` that a batch's failed child ends with, as JSON: what was caught, and at which attempt."""

    cause: str


class ManifestLine(_Message):
    """One line of a batch's manifest: an object of the input bucket, and its size in bytes.

    `at` is where in the manifest the line begins, in bytes. It stands for the image where its key must not be: in the
    state machine, whose histories show every input and output.
    """

    at: int
    key: str
    size: int


class Manifest(_Message):
    """Output of ListImages: a JSONL object of the jobs bucket, a `ManifestLine` each, and where results will lie.

    `total_files` is how many of them are to be edited: in a dry run none.
    """

    manifest_key: str
    results_prefix: str
    total_files: int


class ListImages(_Message):
    """Input of `batch_fanout` at the start of a batch."""

    action: Literal["list_images"]
    job_id: str


class ResultWriterDetails(_Message):
    """Where a map run's ResultWriter left its `manifest.json` (Step Functions' own spelling)."""

    bucket: Annotated[str, Field(alias="Bucket")]
    key: Annotated[str, Field(alias="Key")]


class SummarizeBatch(_Message):
    """Input of `batch_fanout` at the end of a batch; no `results` where the manifest is empty."""

    action: Literal["summarize_batch"]
    job_id: str
    manifest_key: str
    results: ResultWriterDetails | None = None


class ReportStopped(_Message):
    """Input of `batch_fanout` for a batch whose execution was ended: it has no results of a map run to read."""

    action: Literal["report_stopped"]
    job_id: str


class StoppedBatch(BaseModel):
    """Output of `batch_fanout` then: what its report tells; 0 images where it wrote none."""

    model_config = ConfigDict(hide_input_in_errors=True)

    total_files: int = 0
    processed: int = 0


class BatchCounts(_Message):
    """Output of SummarizeBatch: the counts of the callback."""

    total_files: int
    processed: int
    failed: int
    fallback_local: int


class Progress(_Message):
    """How many images of a batch stand where."""

    total: int
    succeeded: int
    failed: int
    running: int
    pending: int

    def as_batch(self) -> BatchCounts:
        """The counts as a callback has them: an image without an edit failed.

        Step Functions cannot tell which of the edits the fallback made.
        """
        failed = self.total - self.succeeded
        return BatchCounts(total_files=self.total, processed=self.succeeded, failed=failed, fallback_local=0)


class Estimate(_Message):
    """How many images a batch would edit, and what that would cost: None where the model's price is not known."""

    images: int
    cost_usd: float | None = None


class BatchSummary(BatchCounts):
    """What SummarizeBatch leaves in the job's record: the errors name files, which the state machine does not see.

    `estimate` is that of a dry run.
    """

    errors: list[str]
    usage: list[ModelUsage] = []
    estimate: Estimate | None = None


class Outcome(_Message):
    """What a job's states came to: one of the three, or nothing where the payload is decided already."""

    image: EditedImage | None = None
    summary: BatchCounts | None = None
    error: CaughtError | None = None


class DeliverRequest(_Message):
    """Input of `callback` for one delivery attempt of an execution, by its name.

    An execution that began under an earlier version does not say its name.
    """

    action: Literal["deliver"]
    job_id: str
    execution: str = ""
    outcome: Outcome = Outcome()


class GiveUpRequest(_Message):
    """Input of `callback` when delivery is given up: `error` is what the last attempt ended with."""

    action: Literal["give_up"]
    job_id: str
    # As in `DeliverRequest`.
    execution: str | None = None
    error: CaughtError


class GivenUp(_Message):
    """Output of `callback` then: the message that the state machine sends to the dead-letter queue, if one is due."""

    letter: str | None = None


class RecordDeadLetter(_Message):
    """Input of `callback` when that message is on the queue."""

    action: Literal["record_dead_letter"]
    job_id: str
