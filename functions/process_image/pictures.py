"""Turns whatever file arrives into an image that OpenAI takes, or refuses it with a reason.

What that takes of memory is bounded (`memory`). A turned JPEG of 8160 x 6144 pixels, as 50-megapixel phones make them,
took 8.3 bytes a pixel on 25 November 2026.
"""

import math
import sys
from dataclasses import dataclass
from io import BytesIO

from PIL import Image

from functions.process_image import memory, png
from functions.process_image.colours import is_upright, plain
from functions.process_image.opening import OpenedFile, opened
from functions.process_image.structure.findings import count

__all__ = ["OPENAI_MAX_BYTES", "OPENAI_TYPES", "Picture", "check", "fitted", "opened", "prepare"]

# What OpenAI takes: "png, webp, or jpg file less than 50MB" (images.edit in the API reference). In decimal megabytes,
# the smaller reading, and with room for the form around it.
OPENAI_MAX_BYTES = 49_900_000
OPENAI_TYPES = {"image/png", "image/jpeg", "image/webp"}
_PLAIN_MODES = {"RGB", "RGBA", "L"}
_LOSSY_TYPES = {"image/jpeg", "image/heic", "image/avif"}


@dataclass(frozen=True)
class Picture:
    """An image as it is sent to OpenAI; `note` says what the caller would not expect of it."""

    body: bytes
    media_type: str
    note: str | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Its width and height in pixels."""
        with opened(self.body, sys.maxsize) as file:
            return file.image.size


def prepare(body: bytes, max_pixels: int, max_bytes: int = OPENAI_MAX_BYTES, room: int | None = None) -> Picture:
    """Make a file an upright, 8-bit PNG, JPEG or WebP of at most `max_bytes`; one that is so already stays as it is.

    Raises what `opened` raises, and TooLargeForMemoryError where an edit of it may take more than `room` bytes.
    """
    with opened(body, max_pixels) as file:
        if room is not None:
            memory.require(file, room)
        if len(body) <= max_bytes and _goes_as_it_is(file):
            file.check()
            return Picture(body, file.media_type)
        notes = [f"only the first of {count(file.frames)} frames was edited"] if file.frames > 1 else []
        encoded, scaled = _encode(plain(file.decoded()), file.media_type in _LOSSY_TYPES, max_bytes)
    return Picture(encoded.body, encoded.media_type, "; ".join(notes + scaled) or None)


def fitted(picture: Picture, max_pixels: int, max_bytes: int, whose: str) -> Picture:
    """Scale a picture that `prepare` made down to so many pixels and bytes; one that fits stays as it is.

    The note of what is given tells of the scaling alone; `whose` limits they are is said in it.
    """
    size = picture.size
    if math.prod(size) <= max_pixels and len(picture.body) <= max_bytes:
        return Picture(picture.body, picture.media_type)
    with opened(picture.body, sys.maxsize) as file:  # `prepare` held it to the owner's limit
        image = plain(file.decoded())
    factor = math.sqrt(max_pixels / math.prod(size))
    if factor < 1:
        image = image.resize([max(1, int(side * factor)) for side in size], Image.Resampling.LANCZOS)
    encoded, _ = _encode(image, picture.media_type in _LOSSY_TYPES, max_bytes)
    sizes = "{} x {} to {} x {}".format(*size, *encoded.size)
    return Picture(encoded.body, encoded.media_type, f"scaled down from {sizes} pixels to fit {whose} limits")


def check(body: bytes, max_pixels: int, room: int | None = None) -> None:
    """Decode a file whole, and throw the picture away. Raises what `prepare` raises."""
    with opened(body, max_pixels) as file:
        if room is not None:
            memory.require(file, room)
        file.check()


def _goes_as_it_is(file: OpenedFile) -> bool:
    if file.media_type == "image/png":
        # Its EXIF data may come last, and to ask for them decodes the picture and keeps silent about its errors.
        file.decoded()
    return (
        file.media_type in OPENAI_TYPES
        and file.image.mode in _PLAIN_MODES
        and file.findings.depth <= 8
        and file.frames == 1
        and is_upright(file.image)
    )


def _encode(image: Image.Image, lossy: bool, max_bytes: int) -> tuple[Picture, list[str]]:
    """Encode in at most `max_bytes`, scaled down as far as that needs: as JPEG what was lossy before, else as PNG."""
    size = image.size
    as_jpeg = lossy and image.mode == "RGB"
    while len(body := _jpeg(image) if as_jpeg else png.encode(image)) > max_bytes:
        factor = 0.95 * math.sqrt(max_bytes / len(body))
        image = image.resize([max(1, int(side * factor)) for side in image.size], Image.Resampling.LANCZOS)
    notes = []
    if image.size != size:
        sizes = "{} x {} to {} x {}".format(*size, *image.size)
        notes = [f"scaled down from {sizes} pixels to fit OpenAI's limit of 50 MB"]
    return Picture(body, "image/jpeg" if as_jpeg else "image/png"), notes


def _jpeg(image: Image.Image) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=95, subsampling=0)
    return buffer.getvalue()
