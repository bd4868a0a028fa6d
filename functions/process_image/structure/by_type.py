"""Reads how a file is built before any decoder sees it: what it costs to decode, and what Pillow would not say.

Every reader works on the bytes alone, in time and memory that the file's size bounds.
"""

from functions.process_image.structure import bmp, gif, isobmff, jpeg, png, tiff, webp
from functions.process_image.structure.findings import Findings

_READERS = {
    "image/png": png.read,
    "image/jpeg": jpeg.read,
    "image/webp": webp.read,
    "image/gif": gif.read,
    "image/bmp": bmp.read,
    "image/tiff": tiff.read,
    "image/heic": isobmff.read,
    "image/avif": isobmff.read,
}


def read(body: bytes, media_type: str) -> Findings:
    """Read a file's structure.

    Raises:
        UnsupportedImageError: it is of a kind that is not taken, or would cost more than its picture is worth.
        ValueError, IndexError, struct.error: it is damaged.
    """
    return _READERS[media_type](body)
