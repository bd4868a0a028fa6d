"""HEIC and AVIF: the boxes of an image file (ISO/IEC 14496-12, 23008-12; AVIF 1.1)."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from functions.process_image.structure.av1 import HEAD_BYTES, frame_size
from functions.process_image.structure.findings import Box, Findings
from imagejobs.errors import UnsupportedImageError

# What a photograph has: a grid of some dozen tiles, thumbnail, depth map, gain map.
_MAX_BOXES = 20_000
_MAX_ITEMS = 2_000
_MAX_EXTENTS = 20_000
_IN_IDAT = 1  # construction method: the data are within the meta box
_CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"iprp"}
# The tiles of a grid hang over its picture's edges.
_MAX_OVERHANG = 2
_MAX_TILE_PIXELS = 1024 * 1024
_DERIVED = {b"grid", b"iovl", b"iden"}


@dataclass
class _Items:
    """What the `meta` box says of the items."""

    primary: int = 0
    kinds: dict[int, bytes] = field(default_factory=dict)
    places: dict[int, int] = field(default_factory=dict)
    properties: list[tuple[bytes, bytes]] = field(default_factory=list)
    associations: dict[int, list[int]] = field(default_factory=dict)
    inputs: dict[int, list[int]] = field(default_factory=dict)

    def of(self, item: int, kind: bytes) -> bytes | None:
        """An item's property of one kind."""
        for index in self.associations.get(item, []):
            if 0 < index <= len(self.properties) and self.properties[index - 1][0] == kind:
                return self.properties[index - 1][1]
        return None


def read(body: bytes) -> Findings:
    """Find the largest picture that is decoded, whatever size the file states, and the crop that AVIF has.

    Decoders go by the coded size: an AVIF of 100 x 100 may hold a frame of 16384 x 16384, which libavif decodes and
    scales down.
    """
    items, samples = _Items(), []
    for kind, start, end in _boxes(body):
        if kind == b"meta":
            _read_meta(body, start + 4, end, items)
        elif kind in (b"stco", b"co64") and end - start >= 12:
            samples.append(struct.unpack_from(">Q" if kind == b"co64" else ">I", body, start + 8)[0])
    sizes = [frame_size(body[place : place + HEAD_BYTES]) for place in samples]
    sizes += [_coded_size(body, items, item) for item in items.kinds]
    largest = max((size for size in sizes if size), key=lambda at: at[0] * at[1], default=(0, 0))
    return Findings(largest=largest, crop=_crop(items))


def _boxes(body: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """Each box, also those within containers: its kind, the start and the end of its content."""
    ranges, seen = [(start, len(body) if end is None else end)], 0
    while ranges:
        position, end = ranges.pop()
        while position + 8 <= end:
            seen += 1
            if seen > _MAX_BOXES:
                raise UnsupportedImageError("the file has more parts than any camera writes: save it as JPEG")
            size, kind = struct.unpack_from(">I4s", body, position)
            content = position + 8
            if size == 1:
                (size,) = struct.unpack_from(">Q", body, content)
                content += 8
            stop = min(end, position + size) if size else end
            if stop < content:
                raise ValueError("a box ends before it begins")
            if kind in _CONTAINERS:
                ranges.append((content, stop))
            yield kind, content, stop
            position = stop


def _read_meta(body: bytes, start: int, end: int, items: _Items) -> None:
    """Read the boxes of a `meta` box that tell of the items (14496-12, 8.11)."""
    boxes = {kind: (at, stop) for kind, at, stop in _boxes(body, start, end)}
    if b"pitm" in boxes:
        at, _ = boxes[b"pitm"]
        (items.primary,) = struct.unpack_from(">I" if body[at] else ">H", body, at + 4)
    if b"iinf" in boxes:
        items.kinds |= _kinds(body, *boxes[b"iinf"])
    if b"ipco" in boxes:
        items.properties = [(name, body[place:to]) for name, place, to in _boxes(body, *boxes[b"ipco"])]
    if b"ipma" in boxes:
        items.associations |= _associations(body, boxes[b"ipma"][0])
    if b"iref" in boxes:
        items.inputs |= _derivations(body, *boxes[b"iref"])
    if b"iloc" in boxes:
        data, _ = boxes.get(b"idat", (0, 0))
        for number, method, offset in _locations(body, boxes[b"iloc"][0]):
            items.places[number] = offset + (data if method == _IN_IDAT else 0)


def _kinds(body: bytes, at: int, stop: int) -> dict[int, bytes]:
    found = {}
    for kind, place, _ in _boxes(body, at + (8 if body[at] else 6), stop):
        if kind == b"infe":
            number, four = struct.unpack_from(">I2x4s" if body[place] > 2 else ">H2x4s", body, place + 4)
            found[number] = four
    if len(found) > _MAX_ITEMS:
        raise UnsupportedImageError("the file has more pictures than any camera writes: save it as JPEG")
    return found


def _locations(body: bytes, at: int) -> Iterator[tuple[int, int, int]]:
    """Construction method and offset of each item's first extent (14496-12, 8.11.3)."""
    version, sizes = body[at], int.from_bytes(body[at + 4 : at + 6])
    offset_size, length_size, base_size, index_size = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    position, extents = at + 6, 0

    def number(size: int) -> int:
        nonlocal position
        position += size
        if position > len(body):
            raise ValueError("it breaks off")
        return int.from_bytes(body[position - size : position])

    for _ in range(min(number(4 if version == 2 else 2), _MAX_ITEMS)):
        item = number(4 if version == 2 else 2)
        method = number(2) & 15 if version else 0
        number(2)  # the file that the data are in
        base = number(base_size)
        for extent in range(number(2)):
            extents += 1
            if extents > _MAX_EXTENTS:
                raise UnsupportedImageError("the file has its pictures in more pieces than any camera writes")
            if version:
                number(index_size)
            offset = number(offset_size)
            number(length_size)
            if extent == 0:
                yield item, method, base + offset


def _associations(body: bytes, at: int) -> dict[int, list[int]]:
    """The properties of each item, by number (23008-12, 9.3)."""
    version, wide = body[at], body[at + 3] & 1
    (count,) = struct.unpack_from(">I", body, at + 4)
    position, found = at + 8, {}
    for _ in range(min(count, _MAX_ITEMS)):
        item, many = struct.unpack_from(">IB" if version else ">HB", body, position)
        position += 5 if version else 3
        size = 2 if wide else 1
        ends = range(position, position + many * size, size)
        found[item] = [int.from_bytes(body[end : end + size]) & (0x7FFF if wide else 0x7F) for end in ends]
        position += many * size
    return found


def _derivations(body: bytes, at: int, stop: int) -> dict[int, list[int]]:
    """The items that each derived picture is made of (`dimg`)."""
    wide = body[at] > 0
    found = {}
    for kind, place, _ in _boxes(body, at + 4, stop):
        if kind == b"dimg":
            item, count = struct.unpack_from(">IH" if wide else ">HH", body, place)
            found[item] = list(struct.unpack_from(f">{count}{'I' if wide else 'H'}", body, place + (6 if wide else 4)))
    return found


def _coded_size(body: bytes, items: _Items, item: int) -> tuple[int, int] | None:
    """The size of an item as its decoder finds it."""
    if items.kinds[item] == b"av01" and items.places.get(item):
        offset = items.places[item]
        return frame_size(body[offset : offset + HEAD_BYTES])
    stated = items.of(item, b"ispe")
    if stated is None:
        return None
    width, height = struct.unpack_from(">II", stated, 4)
    if items.kinds[item] in _DERIVED:
        parts = sum(_pixels(items.of(part, b"ispe")) for part in items.inputs.get(item, []))
        if parts > _MAX_OVERHANG * (width * height + _MAX_TILE_PIXELS):
            raise UnsupportedImageError(f"the image of {width} x {height} pixels has {parts:,} pixels of tiles")
    return width, height


def _pixels(ispe: bytes | None) -> int:
    return int.from_bytes(ispe[4:8]) * int.from_bytes(ispe[8:12]) if ispe else 0


def _crop(items: _Items) -> Box | None:
    """The primary item's clean aperture, which Pillow does not apply (14496-12, 12.1.4)."""
    clap, ispe = items.of(items.primary, b"clap"), items.of(items.primary, b"ispe")
    if clap is None or ispe is None or items.kinds.get(items.primary) == b"hvc1":
        return None
    numbers = struct.unpack(">IIIIiIiI", clap[:32])
    if not all(numbers[1::2]):
        raise ValueError("its crop divides by 0")
    width, height, right, down = (above / below for above, below in zip(numbers[::2], numbers[1::2], strict=True))
    across, total = struct.unpack_from(">II", ispe, 4)
    left = right + (across - width) / 2
    top = down + (total - height) / 2
    box = round(left), round(top), round(left + width), round(top + height)
    if not (0 <= box[0] < box[2] <= across and 0 <= box[1] < box[3] <= total):
        raise ValueError("its crop is outside the picture")
    return box if box != (0, 0, across, total) else None
