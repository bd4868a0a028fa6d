"""The manifest of a batch: which images of the input bucket its map run will edit."""

import re
from collections.abc import Iterable, Iterator
from itertools import islice

from functions.batch_fanout.leftovers import is_leftover
from functions.batch_fanout.settings import BatchFanoutSettings
from functions.batch_fanout.stopped import not_made
from functions.batch_fanout.summary import ImageReport
from imagejobs.decided import find_decision
from imagejobs.errors import BatchTooLargeError
from imagejobs.estimates import check_cost
from imagejobs.job_request import JobRequest
from imagejobs.job_store import JobStore
from imagejobs.settings import StorageSettings
from imagejobs.storage import Bucket
from imagejobs.upload_folders import images_prefix, is_upload
from imagejobs.workflow import REPORT_NAME, Manifest, ManifestLine


def list_images(
    request: JobRequest, source: Bucket, target: Bucket, store: JobStore, settings: BatchFanoutSettings
) -> Manifest:
    """Write the batch's manifest to the jobs bucket: JSONL, a `ManifestLine` each, in key order.

    Of a dry run none of them is to be edited, so that it goes the way of an empty batch.

    Raises:
        BatchTooLargeError: there are more images than one batch may have.
        CostTooHighError: to edit them would cost more than the job may.
        StorageRejectedError: the input or the output bucket is missing (no edit is paid for that could not be kept), or
            the record of the batch of which this one is the retry has expired.
    """
    target.require()
    images = _listed(request, source, settings)
    if request.retry_of:
        images = _failed(store.get_request(request.retry_of), target, store, settings)
    lines = _lines(islice(images, request.max_files), settings.max_batch_images)
    manifest_key = store.key(request.job_id, "manifest.jsonl")
    total_files = store.bucket.put_lines(manifest_key, lines, "application/jsonl")
    if not request.dry_run:
        check_cost(request, settings, total_files)
    return Manifest(
        manifest_key=manifest_key,
        results_prefix=store.key(request.job_id, "map-runs"),
        total_files=0 if request.dry_run else total_files,
    )


def _lines(images: Iterable[tuple[str, int]], most: int) -> Iterator[bytes]:
    """The manifest's lines for images, given by key and size in bytes."""
    at = 0
    for count, (key, size) in enumerate(images):
        if count == most:
            raise BatchTooLargeError(
                f"the batch has more than {most:,} images, the limit of one batch: post it with max_files, or "
                "with the prefix of a folder, or have the owner of the service raise MaxBatchImages. Nothing was edited"
            )
        line = ManifestLine(at=at, key=key, size=size).model_dump_json(ensure_ascii=True).encode() + b"\n"
        yield line
        at += len(line)


def _listed(request: JobRequest, source: Bucket, settings: StorageSettings) -> Iterator[tuple[str, int]]:
    """Every object under the job's prefix but folders and leftovers; the worker tells by content what is an image.

    What lies in a folder of uploads is for the batches that name it alone.
    """
    folder = images_prefix(request, settings) + (f"{request.prefix.strip('/')}/" if request.prefix else "")
    # A bucket that serves for input and output alike holds the results of earlier jobs too.
    own = re.escape(settings.cos_output_prefix.strip("/"))
    results = re.compile(rf"({own}|results/[0-9a-f-]{{36}})/") if source.name == settings.output_bucket else None
    for key, size in source.keys(folder):
        if key.endswith("/") or (results and results.match(key)) or is_leftover(key.removeprefix(folder)):
            continue
        if is_upload(key) and not request.folder:
            continue
        yield key, size


def _failed(
    earlier: JobRequest, target: Bucket, store: JobStore, settings: StorageSettings
) -> Iterator[tuple[str, int]]:
    """The images that failed in an earlier batch, as its report has them; without a report, those that have no edit.

    Edits that were under way when a batch was ended are kept after its report was written: they are not paid again.
    """
    report_key = settings.batch_output_prefix(earlier.job_id, earlier.output_prefix) + REPORT_NAME
    decision = find_decision(earlier.job_id, store)
    was_ended = decision is not None and decision.status in ("failed", "cancelled")
    if was_ended or target.find(report_key) is None:
        yield from not_made(earlier, target, store, settings)
        return
    for line in target.lines(report_key):
        image = ImageReport.model_validate_json(line)
        if image.status == "failed":
            yield image.key, image.bytes_in or 0
