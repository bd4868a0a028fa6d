"""Where callers' uploads lie: in the jobs bucket single images, in the input bucket the folders of batches.

A key says whose it is before anything is looked up, so that no caller reaches another one's uploads.
"""

import re
from hashlib import sha256

from imagejobs.job_request import JobRequest
from imagejobs.settings import StorageSettings

# In the jobs bucket, which is the stack's alone.
_UPLOADS = "uploads/"
# In the input bucket, where the owner's own pictures lie too. What is below it expires, so the name is one that nobody
# gives to a folder of pictures.
_FOLDERS = "image-jobs-uploads/"
_IN_FOLDER = re.compile(rf"{_FOLDERS}[0-9a-f]{{64}}/")


def uploads_prefix(caller: str) -> str:
    """The prefix of a caller's uploads of single images."""
    return f"{_UPLOADS}{_digest(caller)}/"


def folder_prefix(caller: str, folder: str) -> str:
    """The prefix of one folder of a caller's."""
    return f"{_FOLDERS}{_digest(caller)}/{folder}/"


def _digest(caller: str) -> str:
    return sha256(caller.encode()).hexdigest()


def is_upload(key: str) -> bool:
    """Tell whether an object of the input bucket was uploaded into a folder: no other batch edits it."""
    return _IN_FOLDER.match(key) is not None


def images_prefix(job: JobRequest, settings: StorageSettings) -> str:
    """The prefix that the keys of a batch's images have and their names have not."""
    return folder_prefix(job.caller, job.folder) if job.folder else settings.input_prefix
