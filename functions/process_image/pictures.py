"""Turns whatever file arrives into an image that OpenAI takes, or refuses it with a reason.

Memory: a picture of P pixels takes at most 20 P bytes beside the file itself and what is made of it. Pillow keeps up to
4 bytes a pixel, a conversion has the picture before and after it, and libwebp and libheif keep canvases of their own.
With the default limits that is 1,280 MB + 100 MB + 50 MB beside 85 MB of code: the function has 2,048 MB. Measured by
tests/integration/process_image/test_memory.py. A turned JPEG of 8160 x 6144 pixels, as 50-megapixel phones make them,
took 405 MB (8.0 bytes a pixel) and 0.8 s of CPU on 25 November 2026.
"""

import math
from dataclasses import dataclass
from io import BytesIO

from PIL import Image

from functions.process_image import png
from functions.process_image.colours import is_upright, plain
from functions.process_image.opening import OpenedFile, opened
from functions.process_image.structure.findings import count

__all__ = ["OPENAI_MAX_BYTES", "OPENAI_TYPES", "Picture", "check", "opened", "prepare"]

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


def prepare(body: bytes, max_pixels: int, max_bytes: int = OPENAI_MAX_BYTES) -> Picture:
    """Make a file an upright, 8-bit PNG, JPEG or WebP of at most `max_bytes`; one that is so already stays as it is.

    Raises what `opened` raises.
    """
    with opened(body, max_pixels) as file:
        if len(body) <= max_bytes and _goes_as_it_is(file):
            file.check()
            return Picture(body, file.media_type)
        notes = [f"only the first of {count(file.frames)} frames was edited"] if file.frames > 1 else []
        encoded, scaled = _encode(plain(file.decoded()), file.media_type in _LOSSY_TYPES, max_bytes)
    return Picture(encoded.body, encoded.media_type, "; ".join(notes + scaled) or None)


def check(body: bytes, max_pixels: int) -> None:
    """Decode a file whole, and throw the picture away. Raises what `opened` raises."""
    with opened(body, max_pixels) as file:
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
