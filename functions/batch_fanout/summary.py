"""What became of a batch: the counts of its callback, and the per-image report beside the results."""

import json
from collections.abc import Iterator
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from imagejobs.callbacks import MAX_ERRORS
from imagejobs.errors import failure_text
from imagejobs.job_store import JobRequest, JobStore
from imagejobs.settings import StorageSettings
from imagejobs.storage import Bucket
from imagejobs.workflow import REPORT_NAME, BatchSummary, EditedImage, ResultWriterDetails, SummarizeBatch

# An error in a callback is cut after this many characters; the report holds it whole.
MAX_ERROR_CHARACTERS = 500


class ImageReport(BaseModel):
    """One line of the report. Sizes in bytes, time in ms; absent where there is no output."""

    model_config = ConfigDict(frozen=True)

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
    manifest = store.bucket.get(task.manifest_key).body.decode()
    keys = [json.loads(line)["key"] for line in manifest.splitlines()]
    reports = [found.get(key) or _without_result(key) for key in keys]

    report_key = settings.batch_output_prefix(request.job_id, request.output_prefix) + REPORT_NAME
    lines = "".join(report.model_dump_json(exclude_none=True) + "\n" for report in reports)
    target.put(report_key, lines.encode(), "application/jsonl")

    failed = [report for report in reports if report.status == "failed"]
    fallbacks = [report for report in reports if report.engine == "local_fallback"]
    return BatchSummary(
        total_files=len(reports),
        processed=len(reports) - len(failed),
        failed=len(failed),
        fallback_local=len(fallbacks),
        # Failures first, lest a spent budget's many fallbacks crowd them out.
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
        error = failure_text(child.get("Error") or child["Status"], child.get("Cause") or "")
        return ImageReport(key=key, status="failed", error=error)
    image = EditedImage.model_validate_json(child["Output"])
    return ImageReport(key=key, status="completed", **image.model_dump(exclude={"key", "status", "content_type"}))


def _without_result(key: str) -> ImageReport:
    return ImageReport(
        key=key, status="failed", error="NotProcessed: the map run ended without a result for this image"
    )
