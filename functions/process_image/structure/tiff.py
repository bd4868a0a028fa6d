"""TIFF: its directories (TIFF 6.0, section 2; BigTIFF) and what tells a camera's raw file (DNG 1.7; TIFF/EP)."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from functions.process_image.structure.findings import MAX_FRAMES, Findings
from imagejobs.errors import UnsupportedImageError
from imagejobs.image_types import CAMERA_RAW

_NEW_SUBFILE_TYPE, _WIDTH, _LENGTH, _BITS, _COMPRESSION, _PHOTOMETRIC = 254, 256, 257, 258, 259, 262
_SAMPLES, _PLANAR, _TILE_WIDTH, _TILE_LENGTH, _SUB_IFDS, _DNG_VERSION = 277, 284, 322, 323, 330, 50706
_SAMPLE_FORMAT = 339
_COLOUR_FILTER_ARRAY, _LINEAR_RAW = 32803, 34892
_REDUCED, _MASK = 1, 4  # bits of NewSubfileType
# Bytes a value by type (TIFF 6.0, page 15; the last ones are BigTIFF's), and how struct calls the whole numbers.
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_NUMBERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
_BYTES = {1, 2, 6, 7}
_LONG, _LONG8 = 4, {16, 17, 18}
_POINTERS = {_SUB_IFDS, 34665, 34853}  # to directories of EXIF, of GPS, and below
# A directory of a photograph has some 30 entries. A picture of 64 megapixels and one row a strip has 8,000 strips.
_MAX_ENTRIES = 1_000
_MAX_VALUES = 300_000
_MAX_SUB_IFDS = 16

type Directory = dict[int, tuple[int, ...]]


@dataclass(frozen=True)
class _Layout:
    """How numbers are written: byte order, and the sizes of TIFF or BigTIFF."""

    order: str
    big: bool

    @property
    def count(self) -> str:
        return self.order + ("Q" if self.big else "H")

    @property
    def offset(self) -> str:
        return self.order + ("Q" if self.big else "I")

    @property
    def entry(self) -> struct.Struct:
        return struct.Struct(self.order + ("HHQ8s" if self.big else "HHI4s"))


def read(body: bytes) -> Findings:
    """Refuse a camera's raw file, whose first picture is a preview, and count the pages, of which Pillow reads each."""
    layout = _Layout("<" if body[:2] == b"II" else ">", 43 in body[2:4])
    pages = 0
    first: Directory = {}
    for directory in _directories(body, layout):
        first = first or directory
        for found in (directory, *_below(body, directory, layout)):
            _refuse_raw(found, first)
        # Smaller copies and masks of a page do not count as pages.
        pages += not _one(directory, _NEW_SUBFILE_TYPE, 0) & (_REDUCED | _MASK)
        if pages > MAX_FRAMES:
            break
    if not first:
        raise ValueError("it has no picture")
    size = max(_size(first, _WIDTH, _LENGTH), _size(first, _TILE_WIDTH, _TILE_LENGTH), key=lambda at: at[0] * at[1])
    planes = _one(first, _PLANAR, 1) == 2 and _one(first, _SAMPLES, 1) > 1
    return Findings(largest=size, frames=max(1, pages), planes=planes)


def kind(body: bytes) -> str:
    """Describe the first picture of a TIFF in its own terms, for who cannot take it."""
    layout = _Layout("<" if body[:2] == b"II" else ">", 43 in body[2:4])
    first = next(_directories(body, layout))
    bits, samples = _one(first, _BITS, 1), _one(first, _SAMPLES, 1)
    numbers = {2: "signed", 3: "floating-point"}.get(_one(first, _SAMPLE_FORMAT, 1), "whole")
    return (
        f"{samples} samples a pixel of {bits} bits ({numbers} numbers), photometric interpretation "
        f"{_one(first, _PHOTOMETRIC, 0)}, compression {_one(first, _COMPRESSION, 1)}"
    )


def is_big_endian_big_tiff(body: bytes) -> bool:
    """Whether a file is of the kind that Pillow takes for another one: it looks for the version in the wrong byte."""
    return body.startswith(b"MM\x00+")


def classic(body: bytes) -> bytes:
    """A big-endian BigTIFF as a classic TIFF: the same file, with its first directory anew behind it."""
    (position,) = struct.unpack_from(">Q", body, 8)
    (count,) = struct.unpack_from(">Q", body, position)
    big = _Layout(">", big=True).entry
    entries = []
    for tag, kind, many, data in big.iter_unpack(body[position + 8 : position + 8 + count * big.size]):
        size = many * _SIZES.get(kind, 1)
        (place,) = struct.unpack(">Q", data)
        data = body[place : place + size] if size > len(data) else data[:size]
        if kind in _LONG8:
            kind, data = _LONG, struct.pack(f">{many}I", *struct.unpack(f">{many}Q", data))
        if tag not in _POINTERS:
            entries.append((tag, kind, many, data))
    start = len(body) + len(body) % 2
    values, made = b"", struct.pack(">H", len(entries))
    behind = start + len(made) + 12 * len(entries) + 4
    for tag, kind, many, data in entries:
        made += struct.pack(">HHI", tag, kind, many)
        made += data.ljust(4, b"\0") if len(data) <= 4 else struct.pack(">I", behind + len(values))
        values += data if len(data) > 4 else b""
    return b"".join([struct.pack(">2sHI", b"MM", 42, start), body[8:], bytes(len(body) % 2), made, bytes(4), values])


def _directories(body: bytes, layout: _Layout) -> Iterator[Directory]:
    """Each directory of the main chain, at most a few more than are counted as pages."""
    (position,) = struct.unpack_from(layout.offset, body, 8 if layout.big else 4)
    seen: set[int] = set()
    while position and position not in seen and len(seen) <= 2 * MAX_FRAMES:
        seen.add(position)
        directory, position = _directory(body, position, layout)
        yield directory


def _directory(body: bytes, position: int, layout: _Layout) -> tuple[Directory, int]:
    """Read one directory's whole numbers, and the place of the next one."""
    (count,) = struct.unpack_from(layout.count, body, position)
    if count > _MAX_ENTRIES:
        raise UnsupportedImageError(f"the TIFF has a directory of {count:,} entries: save it again")
    position += struct.calcsize(layout.count)
    entry, found = layout.entry, {}
    for tag, kind, values, data in entry.iter_unpack(body[position : position + count * entry.size]):
        if values > _MAX_VALUES and kind not in _BYTES:
            raise UnsupportedImageError(f"the TIFF has an entry of {values:,} values: save it in larger strips")
        if kind in _NUMBERS and 0 < values <= _MAX_SUB_IFDS:
            number = struct.Struct(f"{layout.order}{values}{_NUMBERS[kind]}")
            if number.size <= len(data):
                found[tag] = number.unpack_from(data)
            else:
                (place,) = struct.unpack(layout.offset, data)
                found[tag] = number.unpack_from(body, place)
        elif tag == _DNG_VERSION:
            found[tag] = (1,)
    position += count * entry.size
    # The last one may break off behind its entries.
    following = struct.unpack_from(layout.offset, body, position)[0] if position + 4 <= len(body) else 0
    return found, following


def _below(body: bytes, directory: Directory, layout: _Layout) -> Iterator[Directory]:
    for position in directory.get(_SUB_IFDS, ()):
        if 0 < position < len(body):
            yield _directory(body, position, layout)[0]


def _refuse_raw(directory: Directory, first: Directory) -> None:
    """Refuse a file one of whose pictures is a sensor's, or whose first one is a preview of another one."""
    if _DNG_VERSION in directory or _one(directory, _PHOTOMETRIC, 0) in (_COLOUR_FILTER_ARRAY, _LINEAR_RAW):
        raise UnsupportedImageError(f"the file is {CAMERA_RAW}")
    if _one(first, _NEW_SUBFILE_TYPE, 0) & _REDUCED and _size(directory, _WIDTH, _LENGTH) > _size(
        first, _WIDTH, _LENGTH
    ):
        raise UnsupportedImageError("the TIFF begins with a preview of its picture: save it without the preview")


def _size(directory: Directory, across: int, down: int) -> tuple[int, int]:
    return _one(directory, across, 0), _one(directory, down, 0)


def _one(directory: Directory, tag: int, default: int) -> int:
    return directory.get(tag, (default,))[0]
