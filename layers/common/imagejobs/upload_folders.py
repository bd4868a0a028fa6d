"""Where callers' uploads lie: in the jobs bucket single images, in the input bucket the folders of batches.

A key says whose it is before anything is looked up, so that no caller reaches another one's uploads.
"""

import re
from hashlib import sha256

from imagejobs.job_request import JobRequest
from imagejobs.settings import StorageSettings

_UPLOAD = re.compile(r"uploads/[0-9a-f]{64}/")


def uploads_prefix(caller: str) -> str:
    """The prefix of a caller's uploads."""
    return f"uploads/{sha256(caller.encode()).hexdigest()}/"


def folder_prefix(caller: str, folder: str) -> str:
    """The prefix of one folder of a caller's."""
    return f"{uploads_prefix(caller)}{folder}/"


def is_upload(key: str) -> bool:
    """Tell whether an object of the input bucket was uploaded into a folder: no other batch edits it."""
    return _UPLOAD.match(key) is not None


def images_prefix(job: JobRequest, settings: StorageSettings) -> str:
    """The prefix that the keys of a batch's images have and their names have not."""
    return folder_prefix(job.caller, job.folder) if job.folder else settings.input_prefix
