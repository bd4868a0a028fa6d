"""The manifest of a batch: which images of the input bucket its map run will edit."""

import re
from collections.abc import Iterator
from itertools import islice

from functions.batch_fanout.leftovers import is_leftover
from functions.batch_fanout.summary import ImageReport
from imagejobs.errors import StorageRejectedError
from imagejobs.job_store import JobRequest, JobStore
from imagejobs.settings import StorageSettings
from imagejobs.storage import Bucket
from imagejobs.workflow import REPORT_NAME, Manifest, ManifestLine


def list_images(
    request: JobRequest, source: Bucket, target: Bucket, store: JobStore, settings: StorageSettings
) -> Manifest:
    """Write the batch's manifest to the jobs bucket: JSONL, a `ManifestLine` each, in key order.

    Raises:
        StorageRejectedError: the input or the output bucket is missing (no edit is paid for that could not be kept), or
            the batch of which this one is the retry left no report.
    """
    target.require()
    images = _listed(request, source, settings)
    if request.retry_of:
        images = _failed(store.get_request(request.retry_of), target, settings)
    listed = islice(images, request.max_files)
    lines = [f"{line.model_dump_json(ensure_ascii=True)}\n" for line in listed]
    manifest_key = store.key(request.job_id, "manifest.jsonl")
    store.bucket.put(manifest_key, "".join(lines).encode(), "application/jsonl")
    return Manifest(
        manifest_key=manifest_key,
        results_prefix=store.key(request.job_id, "map-runs"),
        total_files=len(lines),
    )


def _listed(request: JobRequest, source: Bucket, settings: StorageSettings) -> Iterator[ManifestLine]:
    """Every object under the job's prefix but folders and leftovers; the worker tells by content what is an image."""
    folder = settings.input_prefix + (f"{request.prefix.strip('/')}/" if request.prefix else "")
    # A bucket that serves for input and output alike holds the results of earlier jobs too.
    own = re.escape(settings.cos_output_prefix.strip("/"))
    results = re.compile(rf"({own}|results/[0-9a-f-]{{36}})/") if source.name == settings.output_bucket else None
    for key, size in source.keys(folder):
        if key.endswith("/") or (results and results.match(key)) or is_leftover(key.removeprefix(folder)):
            continue
        yield ManifestLine(key=key, size=size)


def _failed(earlier: JobRequest, target: Bucket, settings: StorageSettings) -> Iterator[ManifestLine]:
    """The images that failed in an earlier batch, as its report has them."""
    report_key = settings.batch_output_prefix(earlier.job_id, earlier.output_prefix) + REPORT_NAME
    if target.find(report_key) is None:
        raise StorageRejectedError(
            f"batch {earlier.job_id} left no report, which would say which of its images failed: post the batch again"
        )
    for line in target.lines(report_key):
        image = ImageReport.model_validate_json(line)
        if image.status == "failed":
            yield ManifestLine(key=image.key, size=image.bytes_in or 0)
