"""What became of a batch: the counts of its callback, and the per-image report beside the results."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from imagejobs.callbacks import MAX_ERRORS
from imagejobs.errors import failure_text
from imagejobs.job_store import JobRequest, JobStore
from imagejobs.settings import StorageSettings
from imagejobs.storage import Bucket
from imagejobs.workflow import (
    REPORT_NAME,
    BatchSummary,
    EditedImage,
    ImageFailure,
    ManifestLine,
    ResultWriterDetails,
    SummarizeBatch,
)

# An error in a callback is cut after this many characters; the report holds it whole.
MAX_ERROR_CHARACTERS = 500


class ImageReport(BaseModel):
    """One line of the report. Sizes in bytes; a field without a value is absent.

    `ms` is what the attempt that made the output took, and for a failed image all its attempts with the waits between.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    key: str
    status: Literal["completed", "failed"]
    output_key: str | None = None
    engine: Literal["openai", "local_fallback"] | None = None
    error: str | None = None
    attempts: int | None = None
    bytes_in: int | None = None
    bytes_out: int | None = None
    ms: int | None = None
    note: str | None = None


def summarize_batch(
    task: SummarizeBatch, request: JobRequest, target: Bucket, store: JobStore, settings: StorageSettings
) -> BatchSummary:
    """Add up the map run's results, image by image of the manifest, and write the report to the output bucket."""
    found = {report.key: report for report in _reports(task.results, store.bucket)} if task.results else {}
    manifest = store.bucket.get(task.manifest_key).body.splitlines()
    listed = (ManifestLine.model_validate_json(line) for line in manifest)
    reports = [_sized(found.get(line.key) or _without_result(line.key), line.size) for line in listed]

    report_key = settings.batch_output_prefix(request.job_id, request.output_prefix) + REPORT_NAME
    lines = "".join(report.model_dump_json(exclude_none=True, ensure_ascii=True) + "\n" for report in reports)
    target.put(report_key, lines.encode(), "application/jsonl")

    failed = [report for report in reports if report.status == "failed"]
    fallbacks = [report for report in reports if report.engine == "local_fallback"]
    return BatchSummary(
        total_files=len(reports),
        processed=len(reports) - len(failed),
        failed=len(failed),
        fallback_local=len(fallbacks),
        # Failures first: the many fallbacks of a spent budget must not take their room.
        errors=[_error_line(report) for report in (failed + fallbacks)[:MAX_ERRORS]],
        report_key=report_key,
    )


def _error_line(report: ImageReport) -> str:
    error = report.error or "OpenAI billing limit -> fallback local applied"
    return f"{report.key}: {error}"[:MAX_ERROR_CHARACTERS]


def _reports(details: ResultWriterDetails, bucket: Bucket) -> Iterator[ImageReport]:
    """Read a map run's result files (Step Functions Developer Guide, "ResultWriter").

    `manifest.json` lists files by the status of the children they hold; each file is a JSON array of executions.
    """
    result_files = json.loads(bucket.get(details.key).body)["ResultFiles"]
    for status in ("FAILED", "PENDING", "SUCCEEDED"):
        for file in result_files.get(status, []):
            for child in json.loads(bucket.get(file["Key"]).body):
                yield _report(child)


def _report(child: dict[str, Any]) -> ImageReport:
    key = json.loads(child["Input"])["key"]
    if child["Status"] != "SUCCEEDED":
        return _failed(key, child)
    edited = EditedImage.model_validate_json(child["Output"])
    return ImageReport(key=key, status="completed", **edited.model_dump(exclude={"key", "status", "content_type"}))


def _failed(key: str, child: dict[str, Any]) -> ImageReport:
    cause, attempts = child.get("Cause") or "", None
    try:
        failure = ImageFailure.model_validate_json(cause)
        cause, attempts = failure.cause, failure.attempt
    except ValidationError:
        pass  # Step Functions' own text: the child was ended from outside, or could not run
    return ImageReport(
        key=key,
        status="failed",
        error=failure_text(child.get("Error") or child["Status"], cause),
        attempts=attempts,
        ms=_milliseconds(child),
    )


def _milliseconds(child: dict[str, Any]) -> int | None:
    """How long a child ran; None for one that a map run's PENDING file names before it ended."""
    if not child.get("StartDate") or not child.get("StopDate"):
        return None
    took = datetime.fromisoformat(child["StopDate"]) - datetime.fromisoformat(child["StartDate"])
    return round(took.total_seconds() * 1000)


def _sized(report: ImageReport, size: int) -> ImageReport:
    return report if report.bytes_in is not None else report.model_copy(update={"bytes_in": size})


def _without_result(key: str) -> ImageReport:
    return ImageReport(
        key=key, status="failed", error="NotProcessed: the map run ended without a result for this image"
    )
