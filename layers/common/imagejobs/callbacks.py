"""The payloads posted to a caller's `callbackUrl`, to the field (docs/api.md, "Callbacks").

watsonx Orchestrate rejects a callback with an undeclared, mistyped or missing field, so these models refuse extra
fields, and an optional field without a value is absent from the JSON, never null: see `to_json`.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema

from imagejobs.job_request import JobRequest
from imagejobs.settings import StorageSettings
from imagejobs.workflow import BatchCounts

MAX_ERRORS = 20
NOTHING_MADE = BatchCounts(total_files=0, processed=0, failed=0, fallback_local=0)
# The error of a job that its caller cancelled.
CANCELLED = "cancelled"


def without_null_defaults(schema: dict[str, Any]) -> None:
    """Take `"default": null` out of a model's JSON schema: the field is absent then, not null."""
    for field in schema["properties"].values():
        if field.get("default", ...) is None:
            del field["default"]


class _Absent:
    """Marks `T | None` as absent rather than null: its JSON schema is that of T, with the field's constraints.

    To pydantic `T | SkipJsonSchema[None]` is a union: its schema misses constraints, and its errors name a branch.
    """

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = handler(core_schema)
        types = [one for one in schema.pop("anyOf") if one != {"type": "null"}]
        return {**types[0], **schema} if len(types) == 1 else {**schema, "anyOf": types}


_T = TypeVar("_T")
# An optional field that is absent rather than null. (A `type` statement would make the schema refer to a definition of
# its own for each.)
Optionally = Annotated[_T | None, _Absent()]


class _Callback(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, json_schema_extra=without_null_defaults
    )

    # Optional fields that a payload of any status may have.
    _free: ClassVar[frozenset[str]] = frozenset({"filename"})

    def to_json(self) -> bytes:
        """Serialise to the exact bytes that are sent: JSON in ASCII, absent fields left out.

        Python keeps ASCII text at a byte a character: one emoji in a file name would quadruple a large payload.
        """
        return self.model_dump_json(exclude_none=True, ensure_ascii=True).encode()

    def _require(self, *names: str) -> None:
        """Refuse the payload unless exactly these of its optional fields are set; some are always free."""
        optional = {name for name, field in type(self).model_fields.items() if not field.is_required()} - self._free
        present = {name for name in optional if getattr(self, name) is not None}
        if present != set(names):
            raise ValueError(f"expected exactly {sorted(names)} beside the required fields, got {sorted(present)}")


class Base64Callback(_Callback):
    """The result of `POST /process-image-async-b64`."""

    status: Literal["completed", "failed"]
    job_id: str
    filename: Optionally[str] = None
    result_image_base64: Optionally[str] = None
    result_mime_type: Optionally[str] = None
    error: Optionally[str] = None

    @model_validator(mode="after")
    def _fields_fit_status(self) -> Self:
        if self.status == "completed":
            self._require("result_image_base64", "result_mime_type")
        else:
            self._require("error")
        return self


class UrlCallback(_Callback):
    """The result of `POST /process-image-async`; `expires_in` is in seconds."""

    status: Literal["completed", "failed"]
    job_id: str
    filename: Optionally[str] = None
    object_key: Optionally[str] = None
    result_url: Optionally[str] = None
    expires_in: Optionally[int] = None
    error: Optionally[str] = None

    @model_validator(mode="after")
    def _fields_fit_status(self) -> Self:
        if self.status == "completed":
            self._require("object_key", "result_url", "expires_in")
        else:
            self._require("error")
        return self


class BatchCallback(_Callback):
    """The result of `POST /batch-process-images`; `duration_seconds` runs from acceptance to this payload."""

    status: Literal["completed", "completed_with_errors", "failed"]
    job_id: str
    total_files: Annotated[int, Field(ge=0)]
    processed: Annotated[int, Field(ge=0)]
    failed: Annotated[int, Field(ge=0)]
    fallback_local: Annotated[int, Field(ge=0)]
    total_files_processed: Annotated[int, Field(ge=0)]
    duration_seconds: Annotated[float, Field(ge=0)]
    output_bucket: str
    output_prefix: str
    errors: Annotated[list[str], Field(max_length=MAX_ERRORS)]
    error: Optionally[str] = None

    @model_validator(mode="after")
    def _fields_fit_status(self) -> Self:
        self._require(*(["error"] if self.status == "failed" else []))
        if self.status != "failed" and (self.failed > 0) != (self.status == "completed_with_errors"):
            raise ValueError("completed_with_errors is the status of a batch with failed images, and of no other")
        if self.processed + self.failed != self.total_files or self.total_files_processed != self.processed:
            raise ValueError("processed + failed must equal total_files, and total_files_processed equal processed")
        return self


type Callback = Base64Callback | UrlCallback | BatchCallback


def failed_callback(
    request: JobRequest, error: str, settings: StorageSettings, made: BatchCounts = NOTHING_MADE
) -> bytes:
    """Make the payload of a job that failed, for any operation; `error` is a message for the caller.

    `made` is what a batch came to before it was ended.

    Decided by `callback` when an error ended the job, by `accept` when its caller cancelled it.
    """
    if request.operation == "batch":
        return batch_callback(request, made, settings, status="failed", error=error)
    model = Base64Callback if request.operation == "base64" else UrlCallback
    return model(status="failed", job_id=request.job_id, filename=request.filename, error=error).to_json()


def batch_callback(request: JobRequest, made: BatchCounts, settings: StorageSettings, **outcome: Any) -> bytes:
    """Make the payload of a batch that `made` counts; `outcome` is its status, with its errors or its error."""
    return BatchCallback(
        job_id=request.job_id,
        **made.model_dump(include=set(BatchCounts.model_fields)),
        total_files_processed=made.processed,
        duration_seconds=_seconds_since(request.created_at),
        output_bucket=settings.output_bucket,
        output_prefix=settings.batch_output_prefix(request.job_id, request.output_prefix),
        **{"errors": [], **outcome},
    ).to_json()


def _seconds_since(moment: datetime) -> float:
    """Seconds from `moment` until now, to the millisecond, never negative."""
    return round(max(0.0, (datetime.now(UTC) - moment).total_seconds()), 3)
