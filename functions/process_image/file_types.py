"""Names what a file is by its content: an image type that is taken, or the thing it is instead."""

import re

from imagejobs.errors import UnsupportedImageError
from imagejobs.image_types import HEAD_BYTES, sniffed_type

_TAKEN = "expected PNG, JPEG, WebP, GIF, BMP, TIFF, HEIC or AVIF"

# Files that people do send, so that the answer can name them. The first pattern that matches the head has it. Groups
# that repeat are atomic and possessive: the files are strangers', and no pattern may try more than one way.
_REFUSED = {
    "a PDF document": rb"[\x00-\x20]*%PDF-",
    "an SVG drawing": rb"(?s)(\xef\xbb\xbf)?(?>\s|<\?xml.*?\?>|<!--.*?-->|<!DOCTYPE svg.*?>)*+<svg[\s>:/]",
    "an HTML page": rb"(?i)(\xef\xbb\xbf)?\s*<(!doctype html|html|head|body)",
    "an XML document": rb"(\xef\xbb\xbf)?\s*<\?xml",
    "a JSON document": rb"(\xef\xbb\xbf)?\s*[{\[]\s*[\"{\[]",
    "a Photoshop document": rb"8BPS",
    "a PostScript document": rb"%!PS|\xc5\xd0\xd3\xc6",
    "a JPEG 2000 image": rb"\x00\x00\x00\x0cjP  |\xff\x4f\xff\x51",
    "a JPEG XL image": rb"\xff\x0a|\x00\x00\x00\x0cJXL ",
    "an icon": rb"\x00\x00[\x01\x02]\x00",
    "an OpenEXR image": rb"\x76\x2f\x31\x01",
    "a Radiance HDR image": rb"#\?RADIANCE",
    "a video": rb"(?s)....ftyp|\x1a\x45\xdf\xa3|RIFF....AVI ",
    "a sound file": rb"(?s)RIFF....WAVE|ID3|OggS|fLaC",
    "a ZIP archive (or an office document, which is one)": rb"PK\x03\x04",
    "an archive": rb"\x1f\x8b|7z\xbc\xaf|Rar!|BZh|\xfd7zXZ",
    "a program": rb"MZ|\x7fELF",
    "plain text": rb"[\t\n\r\x20-\x7e]{16,}",
}
_LOOK_AT = 4096


def recognised(body: bytes) -> str:
    """Tell the media type of a file by its first bytes.

    Raises:
        UnsupportedImageError: it is none that is taken; the message names what it is.
    """
    if not body:
        raise UnsupportedImageError(f"the file is empty: {_TAKEN}")
    media_type = sniffed_type(body[:HEAD_BYTES])
    if media_type is None:
        head = body[:_LOOK_AT]
        kind = next((kind for kind, pattern in _REFUSED.items() if re.match(pattern, head)), "of no known type")
        raise UnsupportedImageError(f"the file is {kind}: {_TAKEN}")
    return media_type
