"""BMP: its size and compression (Windows GDI, "Bitmap Storage")."""

import struct

from functions.process_image.structure.findings import Findings
from imagejobs.errors import UnsupportedImageError

_RLE8, _RLE4, _JPEG, _PNG = 1, 2, 4, 5
# Headers of 138 bytes at the most, and 256 colours of 4 bytes.
_MAX_HEADERS = 2_000
# Pillow unfolds run lengths in Python, about a microsecond a run or a pixel that is filled up.
_MAX_RLE_PIXELS = 4_000_000


def read(body: bytes) -> Findings:
    """Refuse a picture whose runs would take Pillow too long."""
    (header,) = struct.unpack_from("<I", body, 14)
    if header < 40:
        return Findings()
    width, height, _, _, compression = struct.unpack_from("<iiHHI", body, 18)
    pixels = abs(width * height)
    if compression in (_RLE8, _RLE4) and pixels > _MAX_RLE_PIXELS:
        raise UnsupportedImageError(
            f"a BMP compressed by run lengths is taken up to {_MAX_RLE_PIXELS:,} pixels, this one has {pixels:,}: "
            "save it as PNG"
        )
    if compression in (_RLE8, _RLE4) and len(body) > _MAX_HEADERS + 2 * pixels + 4 * abs(height):
        raise ValueError("it has more runs than pixels")
    if compression in (_JPEG, _PNG):
        raise UnsupportedImageError("a BMP with a JPEG or PNG inside is not taken: save it as PNG")
    return Findings()
