"""Whether a picture fits the function's memory, told by its header: before it is decoded, and before it is paid for.

An edit takes the process itself, the file, and some bytes a pixel. The bytes a pixel are for whatever becomes of a
picture: decoded, turned, its colours converted, encoded anew, and inverted where OpenAI's billing limit is reached.
Pillow keeps 4 bytes a pixel, and libwebp three canvases beside it. test_memory.py and test_small_function.py (both in
tests/integration/process_image) measure them. The small function's room also holds what follows: a form with the
picture, and OpenAI's largest answer.
"""

from functions.process_image.opening import OpenedFile
from imagejobs.catalogue import LOCAL, PROVIDERS, EngineName
from imagejobs.errors import JobError
from imagejobs.job_request import MAX_REFERENCE_BYTES, JobRequest

# The interpreter, the code and the SDKs, connected, with HEIC's decoder.
PROCESS_BYTES = 120_000_000
# A photograph as cameras make them, and everything else: WebP, pictures with alpha, lossless ones.
_PHOTO_TYPES = {"image/jpeg", "image/heic", "image/avif"}
PHOTO_BYTES_A_PIXEL = 14
BYTES_A_PIXEL = 20


# Whose answers the small function was measured with. The others' are JSON of 25 MB and more, with larger pictures.
MEASURED_ENGINES: set[EngineName] = {"openai", LOCAL}


class TooLargeForMemoryError(JobError):
    """The picture does not fit the memory of this function; a larger one may take it. Nothing was paid."""


def room(function_mb: int, job: JobRequest) -> int:
    """The bytes that a function with so much memory (in MiB, as Lambda counts) has for each of a job's pictures.

    What a job has beside its image is kept while the image is decoded, and sent in the same form.
    """
    beside = 2 * MAX_REFERENCE_BYTES if job.reference_count or job.mask else 0
    return function_mb * 1024 * 1024 - PROCESS_BYTES - beside


def require_measured(engine: EngineName) -> None:
    """Leave the engines whose answers may be too large to the larger function. Raises TooLargeForMemoryError."""
    if engine not in MEASURED_ENGINES:
        raise TooLargeForMemoryError(f"the answers of {PROVIDERS[engine]} may be too large for this function")


def require(file: OpenedFile, room_bytes: int) -> None:
    """Make sure that a picture fits. Raises TooLargeForMemoryError."""
    if needed(file) > room_bytes:
        raise TooLargeForMemoryError(f"the picture takes up to {needed(file):,} bytes, and there are {room_bytes:,}")


def needed(file: OpenedFile) -> int:
    """The bytes that an edit of a picture takes at most, beside the process itself."""
    (width, height), (stated_width, stated_height) = file.image.size, file.findings.largest
    pixels = max(width * height, stated_width * stated_height)
    photo = file.media_type in _PHOTO_TYPES and not file.image.has_transparency_data
    return len(file.body) + pixels * (PHOTO_BYTES_A_PIXEL if photo else BYTES_A_PIXEL)
