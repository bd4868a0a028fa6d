"""The manifest of a batch: which images of the input bucket its map run will edit."""

import json
from collections.abc import Iterator
from itertools import islice

from imagejobs.job_store import JobRequest, JobStore
from imagejobs.settings import StorageSettings
from imagejobs.storage import Bucket
from imagejobs.workflow import Manifest


def list_images(request: JobRequest, source: Bucket, store: JobStore, settings: StorageSettings) -> Manifest:
    """Write the batch's manifest to the jobs bucket: JSONL, one `{"key": …}` a line, in key order."""
    keys = list(islice(_image_keys(request, source, settings), request.max_files))
    manifest_key = store.key(request.job_id, "manifest.jsonl")
    lines = "".join(json.dumps({"key": key}) + "\n" for key in keys)
    store.bucket.put(manifest_key, lines.encode(), "application/jsonl")
    return Manifest(
        manifest_key=manifest_key,
        results_prefix=store.key(request.job_id, "map-runs"),
        total_files=len(keys),
    )


def _image_keys(request: JobRequest, source: Bucket, settings: StorageSettings) -> Iterator[str]:
    """Every key under the job's prefix that is no folder; whether it is an image, the worker tells by its content."""
    folder = f"{request.prefix.strip('/')}/" if request.prefix else ""
    # A bucket that serves for input and output alike holds the results of earlier batches too.
    results = settings.cos_output_prefix.strip("/") + "/" if source.name == settings.output_bucket else None
    for key, _size in source.keys(settings.input_prefix + folder):
        if not key.endswith("/") and not (results and key.startswith(results)):
            yield key
