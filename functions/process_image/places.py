"""Where an image comes from and where its edit goes."""

import re
from functools import cached_property, lru_cache
from pathlib import PurePosixPath

from functions.process_image.pacing import Pacer
from functions.process_image.settings import ProcessImageSettings
from imagejobs.errors import StorageRejectedError
from imagejobs.job_store import JobRequest, JobStore
from imagejobs.resources import Clients, Resources
from imagejobs.storage import Bucket
from imagejobs.workflow import EditRequest

# What an image may have in bytes as it comes: above what OpenAI takes, since a large BMP or TIFF becomes a small PNG.
MAX_IMAGE_BYTES = 100_000_000
# Seconds for the file behind an `image_url`, from resolving the name to the last byte.
IMAGE_URL_SECONDS = 30.0
_DEFAULT_STEM = "image"
_MAX_STEM = 100
_MAX_KEY_BYTES = 1024  # S3 user guide, "Naming Amazon S3 objects"


class Places(Resources[ProcessImageSettings]):
    """What the function works with: the buckets that it reads from and writes to, and the way to other servers."""

    def __init__(self, settings: ProcessImageSettings, clients: Clients | None = None) -> None:
        super().__init__(settings, clients)
        # A request never changes, and all the images of a batch have one.
        self.get_request = lru_cache(maxsize=128)(self.jobs.get_request)
        # Once for a bucket is enough.
        self._require = lru_cache(maxsize=1)(Bucket.require)

    def read_input(self, edit_request: EditRequest, job: JobRequest) -> bytes:
        """Read the image that is to be edited, of at most MAX_IMAGE_BYTES."""
        if edit_request.operation == "batch":
            return self.inputs.get(edit_request.key or "", MAX_IMAGE_BYTES).body
        if job.image_url:
            # Here, since only jobs with an image_url need it.
            from imagejobs.outbound.connection import fetch

            return fetch(
                job.image_url, self.settings.source_policy, max_bytes=MAX_IMAGE_BYTES, timeout=IMAGE_URL_SECONDS
            )
        return self.jobs.bucket.get(self.jobs.key(job.job_id, "input"), MAX_IMAGE_BYTES).body

    @cached_property
    def pacer(self) -> Pacer:
        """The queue of the images that wait for OpenAI's rate limit."""
        return Pacer(self.jobs.bucket, "openai")

    def output_bucket(self, edit_request: EditRequest) -> Bucket:
        """The bucket that the edit goes to, which is there: nothing is paid for that could not be kept."""
        if edit_request.operation == "base64":
            return self.jobs.bucket
        outputs = self.outputs
        self._require(outputs)
        return outputs


def output_key(edit_request: EditRequest, job: JobRequest, settings: ProcessImageSettings, media_type: str) -> str:
    """The key of an image's edit: a function of job, image and media type, so that it is found again.

    A batch keeps the folder below the input prefix and the whole name of the input: `sub/a.jpg` becomes
    `sub/a.jpg_modified.png`, so that `a.png`, `a.jpg` and `sub/a.png` never overwrite one another.

    Raises:
        StorageRejectedError: the key is longer than object storages take.
    """
    extension = media_type.removeprefix("image/").replace("jpeg", "jpg")
    if edit_request.operation == "base64":
        return JobStore.key(job.job_id, "result")
    if edit_request.operation == "url":
        return f"{settings.url_output_prefix(job.job_id)}{_stem(job.filename)}_modified.{extension}"
    relative = (edit_request.key or "").removeprefix(settings.input_prefix)
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
