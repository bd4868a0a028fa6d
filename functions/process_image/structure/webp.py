"""WebP: its canvas and frames (RFC 9649, section 2)."""

import struct

from functions.process_image.structure.findings import MAX_FRAMES, Findings
from imagejobs.errors import UnsupportedImageError

# libwebp keeps a note of each.
_MAX_CHUNKS = 10_000


def read(body: bytes) -> Findings:
    """Read the size of the canvas, for which libwebp takes memory as soon as it opens a file, and count the frames."""
    kind = body[12:16]
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", body, 26)
        return Findings(largest=(width & 0x3FFF, height & 0x3FFF))
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", body, 21)
        return Findings(largest=(1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)))
    width, height = (1 + int.from_bytes(body[start : start + 3], "little") for start in (24, 27))
    return Findings(largest=(width, height), frames=_frames(body))


def _frames(body: bytes) -> int:
    position, frames = 12, 0
    for _ in range(_MAX_CHUNKS):
        if position + 8 > len(body) or frames > MAX_FRAMES:
            return max(1, frames)
        kind, length = struct.unpack_from("<4sI", body, position)
        frames += kind == b"ANMF"
        position += 8 + length + length % 2
    raise UnsupportedImageError("the WebP has more metadata than any program writes: save it without them")
