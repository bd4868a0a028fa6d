"""Where an image comes from and where its edit goes."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath

from functions.process_image.settings import ProcessImageSettings
from imagejobs.errors import StorageRejectedError
from imagejobs.job_store import JobRequest, JobStore
from imagejobs.storage import Bucket
from imagejobs.workflow import EditRequest

# url, max_bytes -> the file behind the URL. Raises SourceUnavailableError or SourceRefusedError.
type Fetch = Callable[[str, int], bytes]

_DEFAULT_STEM = "image"
_MAX_STEM = 100
_MAX_KEY_BYTES = 1024  # S3 user guide, "Naming Amazon S3 objects"


@lru_cache(maxsize=128)
def _recorded(bucket: Bucket, job_id: str) -> JobRequest:
    """Read a job's request, once for all the images of a batch that this process edits: it never changes."""
    return JobStore(bucket).recorded(job_id)


@lru_cache(maxsize=16)
def _required(bucket: Bucket) -> Bucket:
    """Make sure, once a process, that a bucket is there before anything is paid for that goes into it."""
    bucket.require()
    return bucket


@dataclass(frozen=True)
class Places:
    """The buckets that the function reads from and writes to, and the way to other servers."""

    jobs: JobStore
    inputs: Bucket
    outputs: Bucket
    fetch: Fetch

    def request(self, job_id: str) -> JobRequest:
        """Read what was asked for."""
        return _recorded(self.jobs.bucket, job_id)

    def read_input(self, image: EditRequest, job: JobRequest, max_bytes: int) -> bytes:
        """Read the image that is to be edited, of at most `max_bytes`."""
        if image.operation == "batch":
            return self.inputs.get(image.key or "", max_bytes).body
        if job.image_url:
            return self.fetch(job.image_url, max_bytes)
        return self.jobs.bucket.get(job.image_key or self.jobs.key(job.job_id, "input"), max_bytes).body

    def output_bucket(self, image: EditRequest) -> Bucket:
        """The bucket that the edit goes to."""
        return self.jobs.bucket if image.operation == "base64" else _required(self.outputs)


def output_key(image: EditRequest, job: JobRequest, settings: ProcessImageSettings, media_type: str) -> str:
    """The key of an image's edit: a function of job, image and media type, so that it is found again.

    A batch keeps the folder below the input prefix and the whole name of the input: `sub/a.jpg` becomes
    `sub/a.jpg_modified.png`, so that `a.png`, `a.jpg` and `sub/a.png` never overwrite one another.

    Raises:
        StorageRejectedError: the key is longer than object storages take.
    """
    extension = media_type.removeprefix("image/").replace("jpeg", "jpg")
    if image.operation == "base64":
        return JobStore.key(job.job_id, "result")
    if image.operation == "url":
        return f"results/{job.job_id}/{_stem(job.filename)}_modified.{extension}"
    relative = (image.key or "").removeprefix(settings.input_prefix)
    key = f"{settings.batch_output_prefix(job.job_id, job.output_prefix)}{relative}_modified.{extension}"
    if (size := len(key.encode())) > _MAX_KEY_BYTES:
        raise StorageRejectedError(
            f"the result's key would have {size:,} bytes, and {_MAX_KEY_BYTES:,} are the most: shorten the image's key"
        )
    return key


def _stem(filename: str | None) -> str:
    """The name without folders and suffix, in letters, digits, dots and dashes."""
    name = PurePosixPath((filename or "").replace("\\", "/")).stem
    return re.sub(r"[^\w.-]+", "_", name).strip("._")[:_MAX_STEM] or _DEFAULT_STEM
