"""What the service answers, as frozen dataclasses. `raw` is the answer itself, with whatever a later service adds."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from functools import cache
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

UNDER_WAY = ("queued", "running")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The base: what the service answered, as it came."""

    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, kw_only=True)
class Progress(Answer):
    """How many images of a batch stand where."""

    total: int
    succeeded: int
    failed: int
    running: int
    pending: int

    @property
    def done(self) -> int:
        """How many have ended, whether well or not."""
        return self.succeeded + self.failed


@dataclass(frozen=True, kw_only=True)
class Delivery(Answer):
    """How the delivery of the callback stands: `not_requested`, `pending`, `delivered` or `dead_lettered`."""

    status: str
    attempts: int = 0
    last_error: str | None = None


@dataclass(frozen=True, kw_only=True)
class Waiting(Answer):
    """What holds a single image up, and since when."""

    reason: str
    since: datetime


@dataclass(frozen=True, kw_only=True)
class ModelUsage(Answer):
    """What one model of one engine did for a job."""

    engine: str | None = None
    model: str | None = None
    images: int = 0
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None


@dataclass(frozen=True, kw_only=True)
class Usage(Answer):
    """What a job used, and an estimate of its cost in US dollars where the prices are known."""

    images: tuple[ModelUsage, ...] = ()
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None


@dataclass(frozen=True, kw_only=True)
class Estimate(Answer):
    """What a dry run found: how many images the batch would edit, and for about how many US dollars, if known."""

    images: int
    cost_usd: float | None = None


@dataclass(frozen=True, kw_only=True)
class Result(Answer):
    """What a job gave: a link to the image, or a batch's counts. Links work for `expires_in` seconds."""

    status: str
    filename: str | None = None
    result_url: str | None = None
    result_mime_type: str | None = None
    object_key: str | None = None
    expires_in: int | None = None
    total_files: int | None = None
    processed: int | None = None
    failed: int | None = None
    fallback_local: int | None = None
    duration_seconds: float | None = None
    output_bucket: str | None = None
    output_prefix: str | None = None
    report_url: str | None = None
    errors: tuple[str, ...] = ()
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class Job(Answer):
    """A job as it stood at `as_of`.

    `status` is `queued`, `running`, `completed`, `completed_with_errors`, `failed`, `cancelled` or `erased`. `engine`,
    `model` and `ai_generated` say who made a single job's picture; a batch's are in its images.
    """

    job_id: str
    operation: str
    status: str
    created_at: datetime
    finished_at: datetime | None = None
    as_of: datetime | None = None
    retry_of: str | None = None
    progress: Progress | None = None
    waiting: Waiting | None = None
    result: Result | None = None
    engine: str | None = None
    model: str | None = None
    ai_generated: bool | None = None
    stands_in_for: str | None = None
    usage: Usage | None = None
    estimate: Estimate | None = None
    note: str | None = None
    delivery: Delivery | None = None
    error: str | None = None
    erased_at: datetime | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.status not in UNDER_WAY

    @property
    def succeeded(self) -> bool:
        """Whether it has a result without a failed image."""
        return self.status == "completed"

    @property
    def reason(self) -> str | None:
        """Why it failed."""
        return self.error or (self.result.error if self.result else None)

    def is_newer_than(self, earlier: "Job") -> bool:
        """Whether this reading is to take the earlier one's place.

        Several servers answer, each with a short memory of its own: a later answer may tell of an earlier state.
        """
        if self.ended or earlier.ended:
            return self.ended
        if self.as_of and earlier.as_of:
            return self.as_of > earlier.as_of
        done, before = (one.progress.done if one.progress else 0 for one in (self, earlier))
        return done >= before


@dataclass(frozen=True, kw_only=True)
class JobSummary(Answer):
    """A job in the list of a caller's jobs."""

    job_id: str
    operation: str
    status: str
    created_at: datetime
    finished_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class BatchImage(Answer):
    """One image of a batch: `status` is `completed` or `failed`; the links work for some minutes."""

    file: str
    status: str
    error: str | None = None
    note: str | None = None
    engine: str | None = None
    model: str | None = None
    ai_generated: bool | None = None
    stands_in_for: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    bytes_in: int | None = None
    bytes_out: int | None = None
    ms: int | None = None
    attempts: int | None = None
    before_url: str | None = None
    after_url: str | None = None


@dataclass(frozen=True, kw_only=True)
class Model(Answer):
    """A model that callers may choose, and what each option takes with it."""

    name: str
    engine: str
    default: bool = False
    options: dict[str, Any] = field(default_factory=dict)
    mask: bool = False
    max_references: int = 0
    search: bool = False
    needs: tuple[str, ...] = ()
    price: dict[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Health(Answer):
    """Whether the service is up."""

    ok: bool
    mode: str | None = None


@dataclass(frozen=True, kw_only=True)
class Check(Answer):
    """How the check of one part that the service depends on went, and how many milliseconds it took."""

    ok: bool
    ms: int = 0
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class UploadForm(Answer):
    """Where a file goes: a form to `url` with all `fields` first, then the file as the field `file`; or a PUT."""

    url: str
    fields: dict[str, str]
    filename: str | None = None
    method: str = "POST"
    image_key: str | None = None


@dataclass(frozen=True, kw_only=True)
class EditOptions:
    """How an image is to be edited. What is None is left to the service; `GET /models` tells what a model takes."""

    model: str | None = None
    quality: str | None = None
    size: str | None = None
    output_format: str | None = None
    output_compression: int | None = None
    background: str | None = None
    search: str | None = None
    mask_key: str | None = None
    reference_keys: tuple[str, ...] = ()
    reference_urls: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The fields of a request's body: those that were given."""
        return {name: value for name, value in asdict(self).items() if value not in (None, ())}


def parse[T: Answer](kind: type[T], answer: object) -> T:
    """Make a model from the JSON of an answer. Unknown fields stay in `raw`. Raises ValueError when it does not fit."""
    if not isinstance(answer, dict):
        raise ValueError(f"expected an object for {kind.__name__}, got {type(answer).__name__}")
    hints = _hints(kind)  # type: ignore[arg-type]  # a class is hashable
    given = {
        one.name: _value(hints[one.name], answer[one.name])
        for one in fields(kind)
        if one.name != "raw" and answer.get(one.name) is not None
    }
    try:
        return kind(raw=answer, **given)
    except TypeError as error:
        raise ValueError(f"{kind.__name__}: {error}") from error


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _value(hint: Any, given: Any) -> Any:
    if isinstance(hint, UnionType):
        hint = next(one for one in get_args(hint) if one is not type(None))
    if get_origin(hint) is tuple:
        return tuple(_value(get_args(hint)[0], one) for one in given)
    if hint is datetime:
        return datetime.fromisoformat(given)
    if isinstance(hint, type) and issubclass(hint, Answer):
        return parse(hint, given)
    kind = get_origin(hint) or hint
    if not isinstance(given, (int, float) if kind is float else kind):
        raise ValueError(f"expected {kind.__name__}, got {type(given).__name__}")
    return given
