"""PNG: its chunks, by their checksums (PNG specification, third edition, section 5)."""

import struct
import zlib

from functions.process_image.structure.findings import Findings
from imagejobs.errors import UnsupportedImageError

# libpng writes 8 KiB a chunk; the largest file that is taken, 100 MB, has 12,000 of them.
_MAX_CHUNKS = 100_000
# EXIF data of a JPEG fit 64 KiB, and editors copy them from there.
_MAX_EXIF_BYTES = 1_000_000
_DEPTH, _INTERLACED = 24, 28  # where IHDR has them (11.2.2)
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
# Of Adam7, where each pass begins and how far its pixels lie apart: x, y, dx, dy (8.2).
_PASSES = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
_INFLATE_AT_ONCE = 1 << 20


def read(body: bytes) -> Findings:
    """Check every chunk to the last one: Pillow passes over wrong checksums, and over what lacks at the end."""
    view, position, seen = memoryview(body), 8, 0
    profiles = 0
    while True:
        length, kind = struct.unpack_from(">I4s", body, position)
        data = view[position + 4 : position + 8 + length]
        (checksum,) = struct.unpack_from(">I", body, position + 8 + length)
        if zlib.crc32(data) != checksum:
            raise ValueError(f"wrong checksum of its {kind.decode('ascii', 'replace')} chunk")
        position += 12 + length
        seen += 1
        profiles += kind == b"iCCP"
        if kind == b"IEND":
            break
        if seen > _MAX_CHUNKS or profiles > 1 or (kind == b"eXIf" and length > _MAX_EXIF_BYTES):
            raise UnsupportedImageError(
                "the PNG has more chunks of metadata or of data than any program writes: save it again"
            )
    return Findings(largest=struct.unpack_from(">II", body, 16), depth=body[_DEPTH])


def last_row(body: bytes) -> int:
    """The row that comes last in the file: of an interlaced picture, the last one of its seventh pass (8.2)."""
    height = int.from_bytes(body[20:24])
    return max(0, height - 1 - height % 2 if body[_INTERLACED] else height - 1)


def data_bytes(body: bytes) -> int:
    """How many bytes the image data unfold to; costs as much as to decode the picture."""
    inflate, position, total = zlib.decompressobj(), 8, 0
    while position + 8 <= len(body):
        length, kind = struct.unpack_from(">I4s", body, position)
        data = body[position + 8 : position + 8 + length] if kind == b"IDAT" else b""
        while data and not inflate.eof:
            total += len(inflate.decompress(data, _INFLATE_AT_ONCE))
            data = inflate.unconsumed_tail
        position += 12 + length
    return total


def expected_bytes(body: bytes) -> int:
    """How many there must be: each row of each pass has a byte before its samples (7.2, 8.2, 9.2)."""
    width, height, depth, colour_type = struct.unpack_from(">IIBB", body, 16)
    bits = depth * _CHANNELS[colour_type]
    passes = _PASSES if body[_INTERLACED] else [(0, 0, 1, 1)]
    sizes = [(-(-(width - x) // dx), -(-(height - y) // dy)) for x, y, dx, dy in passes]
    return sum(down * (1 + -(-across * bits // 8)) for across, down in sizes if across > 0 and down > 0)
