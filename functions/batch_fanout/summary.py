"""What became of a batch: the counts of its callback, and the per-image report beside the results.

Neither the manifest nor the results are ever in memory as a whole: a batch may have a million images.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from tempfile import TemporaryDirectory
from typing import Literal

from pydantic import BaseModel, ConfigDict, Json, ValidationError
from pydantic.alias_generators import to_pascal

from imagejobs.callbacks import MAX_ERRORS
from imagejobs.catalogue import LOCAL, PROVIDERS
from imagejobs.errors import failure_text
from imagejobs.job_request import JobRequest
from imagejobs.job_store import JobStore
from imagejobs.output_keys import output_key
from imagejobs.settings import StorageSettings
from imagejobs.spent import list_spent
from imagejobs.storage import Bucket
from imagejobs.usage import ModelUsage, UsageSums
from imagejobs.workflow import (
    REPORT_NAME,
    BatchCounts,
    BatchSummary,
    EditedImage,
    ImageFailure,
    ManifestLine,
    ResultWriterDetails,
    SummarizeBatch,
)

# An error in a callback is cut after this many characters; the report holds it whole.
MAX_ERROR_CHARACTERS = 500
_NO_RESULT = "NotProcessed: the map run ended without a result for this image"


class _Result(BaseModel):
    """What a map run's results tell of one image. Sizes in bytes; a field without a value is absent.

    `ms` is what the attempt that made the output took, and for a failed image all its attempts with the waits between.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    status: Literal["completed", "failed"]
    engine: str | None = None
    model: str | None = None
    ai_generated: bool | None = None
    stands_in_for: str | None = None
    error: str | None = None
    attempts: int | None = None
    bytes_in: int | None = None
    bytes_out: int | None = None
    ms: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    note: str | None = None


class _ChildResult(_Result):
    content_type: str | None = None


class _Place(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    at: int


class _Child(BaseModel):
    """A child execution, as ResultWriter writes it: input and output are JSON in a string."""

    model_config = ConfigDict(alias_generator=to_pascal, extra="ignore", frozen=True, hide_input_in_errors=True)

    input: Json[_Place]
    status: str
    output: Json[EditedImage] | None = None
    error: str | None = None
    cause: str | None = None
    start_date: str | None = None
    stop_date: str | None = None


class ImageReport(_Result):
    """One line of the report."""

    key: str
    output_key: str | None = None


def summarize_batch(
    task: SummarizeBatch, request: JobRequest, target: Bucket, store: JobStore, settings: StorageSettings
) -> BatchCounts:
    """Add up the map run's results, image by image of the manifest, and write the report to the output bucket."""
    report_key = settings.batch_output_prefix(request.job_id, request.output_prefix) + REPORT_NAME
    tally = Tally()
    with TemporaryDirectory() as folder, closing(_Results(f"{folder}/results")) as results:
        if task.results:
            results.put(_child_results(task.results, store.bucket))
        manifest = (ManifestLine.model_validate_json(line) for line in store.bucket.lines(task.manifest_key))
        reports = (_report(line, result, request, settings) for line, result in results.matched(manifest))
        target.put_lines(report_key, report_lines(tally.of(reports)), "application/jsonl")
    summary = tally.summary(list_spent(store.bucket, request.job_id))
    store.put_summary(request.job_id, summary)
    return BatchCounts.model_validate(summary.model_dump())


def report_lines(reports: Iterable[ImageReport]) -> Iterator[bytes]:
    """The report as it is written: JSON in ASCII, a line for each image."""
    for report in reports:
        yield f"{report.model_dump_json(exclude_none=True, ensure_ascii=True)}\n".encode()


class _Results:
    """The children's results, put into the order of the manifest on disk: they come in any order.

    SQLite sorts by merging runs, so that the time grows with the number of images alone, as an index that is filled in
    any order would not.
    """

    def __init__(self, path: str) -> None:
        self._database = sqlite3.connect(path)
        # The file is read by nobody after this process.
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute("PRAGMA cache_size = -16384")  # KiB, of which each run is made
        self._database.execute("CREATE TABLE results (at INTEGER NOT NULL, result TEXT NOT NULL)")

    def put(self, results: Iterable[tuple[int, _ChildResult]]) -> None:
        """Keep results."""
        rows = ((at, result.model_dump_json(exclude_none=True)) for at, result in results)
        self._database.executemany("INSERT INTO results VALUES (?, ?)", rows)

    def matched(self, manifest: Iterable[ManifestLine]) -> Iterator[tuple[ManifestLine, _ChildResult | None]]:
        """Each image with its result; None where the map run left none. Of two results for one image, the later."""
        rows = self._database.execute("SELECT at, result FROM results ORDER BY at, rowid")
        row = rows.fetchone()
        for line in manifest:
            result = None
            while row and row[0] <= line.at:
                result = row[1] if row[0] == line.at else None
                row = rows.fetchone()
            yield line, _ChildResult.model_validate_json(result) if result else None

    def close(self) -> None:
        self._database.close()


@dataclass
class Tally:
    """Counts reports as they pass, adds up what they cost, and keeps the errors for the callback."""

    total: int = 0
    failed: int = 0
    fallbacks: int = 0
    usage: UsageSums = field(default_factory=UsageSums)
    _failures: list[str] = field(default_factory=list)
    _notices: list[str] = field(default_factory=list)

    def of(self, reports: Iterable[ImageReport]) -> Iterator[ImageReport]:
        """Pass reports on, counted."""
        for report in reports:
            self.total += 1
            if report.engine:
                self.usage.add(ModelUsage.of_image(report))
            if report.status == "failed":
                self.failed += 1
                self._add(self._failures, f"{report.key}: {report.error}")
            elif report.stands_in_for:
                self.fallbacks += report.engine == LOCAL
                limit, fallback = PROVIDERS[report.stands_in_for], "local" if report.engine == LOCAL else report.engine
                self._add(self._notices, f"{report.key}: {limit} billing limit -> fallback {fallback} applied")
            yield report

    @staticmethod
    def _add(errors: list[str], error: str) -> None:
        if len(errors) < MAX_ERRORS:
            errors.append(error[:MAX_ERROR_CHARACTERS])

    def summary(self, spent: Iterable[ModelUsage]) -> BatchSummary:
        """What the batch came to, with what was spent in vain."""
        for part in spent:
            self.usage.add(part)
        return BatchSummary(
            total_files=self.total,
            processed=self.total - self.failed,
            failed=self.failed,
            fallback_local=self.fallbacks,
            # Failures first: the many fallbacks of a spent budget must not take their room.
            errors=(self._failures + self._notices)[:MAX_ERRORS],
            usage=self.usage.by_model(),
        )


def _report(
    line: ManifestLine, result: _ChildResult | None, request: JobRequest, settings: StorageSettings
) -> ImageReport:
    result = result or _ChildResult(status="failed", error=_NO_RESULT)
    made = result.content_type and output_key(request, settings, result.content_type, line.key)
    fields = result.model_dump(exclude={"content_type"}, exclude_none=True)
    return ImageReport.model_validate({"bytes_in": line.size} | fields | {"key": line.key, "output_key": made})


def _child_results(details: ResultWriterDetails, bucket: Bucket) -> Iterator[tuple[int, _ChildResult]]:
    """Read a map run's result files (Step Functions Developer Guide, "ResultWriter").

    `manifest.json` lists files by the status of the children they hold; each file has an execution a line.
    """
    result_files = json.loads(bucket.get(details.key).body)["ResultFiles"]
    for status in ("FAILED", "PENDING", "SUCCEEDED"):
        for file in result_files.get(status, []):
            for line in bucket.lines(file["Key"]):
                child = _Child.model_validate_json(line)
                yield child.input.at, _child_result(child)


def _child_result(child: _Child) -> _ChildResult:
    if child.status != "SUCCEEDED" or child.output is None:
        return _failed(child)
    fields = child.output.model_dump(exclude={"status"})
    return _ChildResult(status="completed", ai_generated=child.output.ai_generated, **fields)


def _failed(child: _Child) -> _ChildResult:
    cause, attempts = child.cause or "", None
    try:
        failure = ImageFailure.model_validate_json(cause)
        cause, attempts = failure.cause, failure.attempt
    except ValidationError:
        pass  # Step Functions' own text: the child was ended from outside, or could not run
    return _ChildResult(
        status="failed",
        error=failure_text(child.error or child.status, cause),
        attempts=attempts,
        ms=_milliseconds(child),
    )


def _milliseconds(child: _Child) -> int | None:
    """How long a child ran; None for one that a map run's PENDING file names before it ended."""
    if not child.start_date or not child.stop_date:
        return None
    took = datetime.fromisoformat(child.stop_date) - datetime.fromisoformat(child.start_date)
    return round(took.total_seconds() * 1000)
