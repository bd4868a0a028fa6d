"""The report of a batch that was ended before its map run was: what lies in the output bucket tells what was made.

Step Functions writes the results of an aborted map run some time after the execution ended, if it does; the edits are
there at once. Neither the manifest nor the list of edits is ever in memory as a whole.
"""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import batched
from tempfile import TemporaryDirectory

from functions.batch_fanout.summary import ImageReport, Tally, report_lines
from imagejobs.errors import StorageRejectedError
from imagejobs.job_request import JobRequest
from imagejobs.job_store import JobStore
from imagejobs.output_keys import EDIT_TYPES, output_key
from imagejobs.settings import StorageSettings
from imagejobs.spent import list_spent
from imagejobs.storage import Bucket
from imagejobs.workflow import REPORT_NAME, EditedImage, ManifestLine, StoppedBatch

NOT_PROCESSED = "NotProcessed: the batch was ended, and this image has no edit"
# Each edit is looked at by a request of its own. Where there are more edits than these, that would take longer than
# the function has: then the report tells their keys and sizes alone.
MAX_LOOKED_AT = 100_000
_AT_ONCE = 16


def report_stopped(request: JobRequest, target: Bucket, store: JobStore, settings: StorageSettings) -> StoppedBatch:
    """Write the report of a batch that was ended, unless it has one, or ended before its images were listed.

    Where it tells what each edit took, the batch's summary has the sums.
    """
    report_key = settings.batch_output_prefix(request.job_id, request.output_prefix) + REPORT_NAME
    if request.dry_run or target.find(report_key) or not store.has_manifest(request.job_id):
        return StoppedBatch()
    tally = Tally()
    with closing(_Edits(request, target, settings)) as edits:
        look = target if edits.count <= MAX_LOOKED_AT else None
        reports = tally.of(_reports(_matched(request, store, settings, edits), look))
        target.put_lines(report_key, report_lines(reports), "application/jsonl")
    # The payload is decided by now, and has no use for a summary: this one tells the usage alone.
    if look:
        store.put_summary(request.job_id, tally.summary(list_spent(store.bucket, request.job_id)))
    return StoppedBatch(total_files=tally.total, processed=tally.total - tally.failed)


def not_made(
    request: JobRequest, target: Bucket, store: JobStore, settings: StorageSettings
) -> Iterator[tuple[str, int]]:
    """The images of a batch, by key and size in bytes, that have no edit."""
    with closing(_Edits(request, target, settings)) as edits:
        for line, edit in _matched(request, store, settings, edits):
            if edit is None:
                yield line.key, line.size


type _Edit = tuple[str, int, str]  # key, size in bytes, media type


class _Edits:
    """The edits that a batch has made, on disk."""

    def __init__(self, request: JobRequest, target: Bucket, settings: StorageSettings) -> None:
        self._folder = TemporaryDirectory()
        self._database = sqlite3.connect(f"{self._folder.name}/edits", check_same_thread=False)
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute("CREATE TABLE edits (key TEXT PRIMARY KEY, size INTEGER) WITHOUT ROWID")
        listed = target.keys(settings.batch_output_prefix(request.job_id, request.output_prefix))
        self.count = self._database.executemany("INSERT INTO edits VALUES (?, ?)", listed).rowcount

    def find(self, key: str) -> int | None:
        """The size of an edit; None when there is none of that key."""
        row = self._database.execute("SELECT size FROM edits WHERE key = ?", (key,)).fetchone()
        return int(row[0]) if row else None

    def close(self) -> None:
        self._database.close()
        self._folder.cleanup()


def _matched(
    request: JobRequest, store: JobStore, settings: StorageSettings, edits: _Edits
) -> Iterator[tuple[ManifestLine, _Edit | None]]:
    """Each image of the manifest, with its edit where there is one."""
    for text in store.bucket.lines(store.key(request.job_id, "manifest.jsonl")):
        line = ManifestLine.model_validate_json(text)
        yield line, _find_edit(line, request, settings, edits)


def _find_edit(line: ManifestLine, request: JobRequest, settings: StorageSettings, edits: _Edits) -> _Edit | None:
    for media_type in EDIT_TYPES:
        try:
            key = output_key(request, settings, media_type, line.key)
        except StorageRejectedError:  # a key too long for its result: the worker refused the image
            return None
        if (size := edits.find(key)) is not None:
            return key, size, media_type
    return None


def _reports(matched: Iterator[tuple[ManifestLine, _Edit | None]], look: Bucket | None) -> Iterator[ImageReport]:
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for some in batched(matched, 16 * _AT_ONCE, strict=False):
            yield from pool.map(lambda found: _report(found[0], found[1], look), some)


def _report(line: ManifestLine, edit: _Edit | None, look: Bucket | None) -> ImageReport:
    """One line of the report: what an edit's own object tells, as far as it is to be looked at."""
    if edit is None:
        return ImageReport(key=line.key, status="failed", error=NOT_PROCESSED, bytes_in=line.size)
    key, size, media_type = edit
    told = {"bytes_in": line.size, "bytes_out": size}
    found = look.find(key) if look else None
    if found and (edited := EditedImage.of_object(found.size, media_type, found.metadata, attempts=1)):
        # Its object does not know at which attempt it was made.
        fields = edited.model_dump(exclude={"status", "attempts", "content_type"}, exclude_none=True)
        told |= {"ai_generated": edited.ai_generated, **fields}
    return ImageReport.model_validate(told | {"key": line.key, "output_key": key, "status": "completed"})
