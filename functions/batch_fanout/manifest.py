"""The manifest of a batch: which images of the input bucket its map run will edit."""

import re
from collections.abc import Iterator
from itertools import islice

from functions.batch_fanout.leftovers import is_leftover
from imagejobs.job_store import JobRequest, JobStore
from imagejobs.settings import StorageSettings
from imagejobs.storage import Bucket
from imagejobs.workflow import Manifest, ManifestLine


def list_images(
    request: JobRequest, source: Bucket, target: Bucket, store: JobStore, settings: StorageSettings
) -> Manifest:
    """Write the batch's manifest to the jobs bucket: JSONL, a `ManifestLine` each, in key order.

    Raises:
        StorageRejectedError: the input or the output bucket is missing; no edit is paid for that could not be kept.
    """
    target.require()
    listed = islice(_listed(request, source, settings), request.max_files)
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
