"""Pictures with C2PA Content Credentials: where a manifest store lies in PNG and JPEG, with random bytes for a claim.

C2PA Technical Specification, "Embedding manifests into various file formats"; the boxes are JUMBF (ISO/IEC 19566-5).
"""

import random
import struct
import zlib

from tests.support.pictures import picture

_C2PA_STORE = bytes.fromhex("6332706100110010800000AA00389B71")
_TOGGLES = b"\x03"  # the description has a label, by which the box can be asked for


def jumbf(size: int = 5_000, seed: int = 1) -> bytes:
    """A manifest store: a superbox with its description, and a claim of `size` random bytes."""
    claim = random.Random(seed).randbytes(size)
    return _box(b"jumb", _box(b"jumd", _C2PA_STORE + _TOGGLES + b"c2pa\0") + _box(b"cbor", claim))


def signed_png() -> bytes:
    """A PNG with a caBX chunk before its image data."""
    plain, store = picture(96, 64, "teal"), jumbf()
    end_of_header = 8 + 25  # the signature, and IHDR with its length, type and CRC
    chunk = struct.pack(">I", len(store)) + b"caBX" + store + struct.pack(">I", zlib.crc32(b"caBX" + store))
    return plain[:end_of_header] + chunk + plain[end_of_header:]


def signed_jpeg() -> bytes:
    """A JPEG with its store in two APP11 segments, since one holds 64 KB at the most."""
    plain, store = picture(96, 64, "teal", file_format="JPEG"), jumbf(90_000)
    header, content = store[:8], store[8:]
    parts = [content[:60_000], content[60_000:]]
    segments = b"".join(_app11(number, header, part) for number, part in enumerate(parts, start=1))
    (length,) = struct.unpack(">H", plain[4:6])
    end_of_app0 = 4 + length
    return plain[:end_of_app0] + segments + plain[end_of_app0:]


def _app11(number: int, header: bytes, part: bytes) -> bytes:
    content = b"JP" + struct.pack(">HI", 1, number) + header + part
    return b"\xff\xeb" + struct.pack(">H", len(content) + 2) + content


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content) + 8) + kind + content
