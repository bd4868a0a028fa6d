"""The keys of edits. Whoever needs one works it out: a file's name travels neither through the state machine nor into
its histories."""

import re
from pathlib import PurePosixPath

from imagejobs.errors import StorageRejectedError
from imagejobs.job_request import JobRequest
from imagejobs.job_store import JobStore
from imagejobs.settings import StorageSettings
from imagejobs.upload_folders import images_prefix

# The media types of edits: OpenAI's output formats, and the fallback's PNG.
EDIT_TYPES = ("image/png", "image/jpeg", "image/webp")
_DEFAULT_STEM = "image"
_MAX_STEM = 100
_MAX_KEY_BYTES = 1024  # S3 user guide, "Naming Amazon S3 objects"


def output_key(job: JobRequest, settings: StorageSettings, media_type: str, input_key: str = "") -> str:
    """The key of an image's edit: a function of job, image and media type, so that it is found again.

    `input_key` is that of a batch's image in the input bucket. A batch keeps the folder below `images_prefix` and the
    whole name of the input: `sub/a.jpg` becomes `sub/a.jpg_modified.png`, so that `a.png`, `a.jpg` and `sub/a.png`
    never overwrite one another.

    Raises:
        StorageRejectedError: the key is longer than object storages take.
    """
    extension = media_type.removeprefix("image/").replace("jpeg", "jpg")
    if job.operation == "base64":
        return JobStore.key(job.job_id, "result")
    if job.operation == "url":
        return f"{settings.url_output_prefix(job.job_id)}{_stem(job.filename)}_modified.{extension}"
    relative = input_key.removeprefix(images_prefix(job, settings))
    key = f"{settings.batch_output_prefix(job.job_id, job.output_prefix)}{relative}_modified.{extension}"
    if (size := len(key.encode())) > _MAX_KEY_BYTES:
        raise StorageRejectedError(
            f"the result's key would have {size:,} bytes; the limit is {_MAX_KEY_BYTES:,}: shorten the image's key"
        )
    return key


def _stem(filename: str | None) -> str:
    """The name without folders and suffix, in letters, digits, dots and dashes."""
    name = PurePosixPath((filename or "").replace("\\", "/")).stem
    return re.sub(r"[^\w.-]+", "_", name).strip("._")[:_MAX_STEM] or _DEFAULT_STEM
