"""JPEG: its segments and scans (ITU-T T.81, annex B)."""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from math import ceil

from functions.process_image.structure.findings import Findings
from imagejobs.errors import UnsupportedImageError

# Each scan of a progressive picture goes over all of it again. Encoders make ten or so.
_MAX_SCANS = 100
# Pillow reads segments, and what fills up the space between them, in Python. Extended XMP, the most there is in
# photographs, has some hundred.
_MAX_SEGMENTS = 5_000
_MAX_FILL_BYTES = 10_000

_SOI, _EOI, _SOS, _DRI = 0xD8, 0xD9, 0xDA, 0xDD
# Start of frame: sequential and progressive, each Huffman-coded or arithmetic.
_SEQUENTIAL, _PROGRESSIVE = {0xC0, 0xC1}, {0xC2, 0xCA}
_TAKEN_FRAMES = _SEQUENTIAL | _PROGRESSIVE | {0xC9}
_OTHER_FRAMES = {0xC3, 0xC5, 0xC6, 0xC7, 0xCB, 0xCD, 0xCE, 0xCF}
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
_COEFFICIENTS = 64
_RESTARTS = bytes(range(0xD0, 0xD8))


@dataclass
class _Frame:
    """What SOFn says: the size, and each component's sampling factors by its identifier."""

    marker: int
    width: int
    height: int
    sampling: dict[int, tuple[int, int]]

    def units(self, components: bytes) -> int:
        """How many units (MCUs) a scan of these components has (T.81, A.2)."""
        most_across = max(across for across, _ in self.sampling.values())
        most_down = max(down for _, down in self.sampling.values())
        if len(components) > 1:
            return ceil(self.width / (8 * most_across)) * ceil(self.height / (8 * most_down))
        across, down = self.sampling[components[0]]
        return ceil(ceil(self.width * across / most_across) / 8) * ceil(ceil(self.height * down / most_down) / 8)


@dataclass
class _Scans:
    """The scans of a picture: where their data are, and which coefficients they bring to the last bit."""

    frame: _Frame
    places: list[tuple[int, int]]
    complete: dict[int, set[int]]

    def add(self, body: bytes, start: int, end: int, interval: int) -> None:
        """Take in the scan whose header is `body[start:end]` (T.81, B.2.3)."""
        count = body[start]
        components = body[start + 1 : start + 1 + 2 * count : 2]
        first, last, bits = body[start + 1 + 2 * count : end]
        self.places.append((end, _scan_end(body, end)))
        if len(self.places) > _MAX_SCANS:
            raise UnsupportedImageError(f"a JPEG of over {_MAX_SCANS} scans is not taken: save it as a baseline JPEG")
        _check_restarts(body, *self.places[-1], self.frame.units(components), interval)
        for component in components:
            if bits & 15 == 0:
                self.complete.setdefault(component, set()).update(range(first, last + 1))

    def check_complete(self) -> None:
        """Check that a progressive picture has all its coefficients: files that broke off are often closed anew."""
        for component in self.frame.sampling if self.frame.marker in _PROGRESSIVE else ():
            if len(self.complete.get(component, ())) < _COEFFICIENTS:
                raise ValueError("some of its scans are missing")


def read(body: bytes) -> Findings:
    """Check the order of segments, scans and restart markers, none of which libjpeg minds.

    A picture with one Huffman-coded scan, as cameras make it, is given with the place of its data.
    """
    frame, scans, interval = None, None, 0
    for marker, start, end in _segments(body):
        if marker in _OTHER_FRAMES:
            raise UnsupportedImageError("a lossless or hierarchical JPEG is not taken: save it as a baseline JPEG")
        if marker in _TAKEN_FRAMES and frame is None:
            frame = _frame(marker, body[start:end])
            scans = _Scans(frame, [], {})
        elif marker == _DRI:
            (interval,) = struct.unpack_from(">H", body, start)
        elif marker == _SOS:
            if scans is None:
                raise ValueError("a scan before the frame's header")
            scans.add(body, start, end, interval)
    if frame is None or scans is None or not scans.places:
        raise ValueError("it has no picture")
    scans.check_complete()
    alone = scans.places[0] if len(scans.places) == 1 and frame.marker in _SEQUENTIAL else None
    return Findings(largest=(frame.width, frame.height), scan=alone)


def _segments(body: bytes) -> Iterator[tuple[int, int, int]]:
    """Each segment until the end of the image: marker, start and end of its data."""
    position, marker = 2, 0
    for _ in range(_MAX_SEGMENTS):
        found = _NEXT_MARKER.search(body, position)
        if found is None:
            raise ValueError("it breaks off")
        if marker != _SOS and found.start() - position > _MAX_FILL_BYTES:
            raise ValueError("its segments lie too far apart")
        position = found.end()
        marker = body[position - 1]
        if marker == _EOI:
            return
        if marker in (_SOI, 0x01):  # without data
            continue
        (length,) = struct.unpack_from(">H", body, position)
        yield marker, position + 2, position + length
        position += length
    raise UnsupportedImageError(f"the JPEG has over {_MAX_SEGMENTS:,} segments of metadata: save it without them")


def _frame(marker: int, data: bytes) -> _Frame:
    bits, height, width, count = struct.unpack_from(">BHHB", data)
    if bits != 8:
        raise UnsupportedImageError(f"a JPEG of {bits} bits a sample is not taken: save it with 8")
    components = [data[start : start + 3] for start in range(6, 6 + 3 * count, 3)]
    return _Frame(marker, width, height, {one[0]: (one[1] >> 4 or 1, one[1] & 15 or 1) for one in components})


def _scan_end(body: bytes, start: int) -> int:
    found = _NEXT_MARKER.search(body, start)
    if found is None:
        raise ValueError("it breaks off")
    return found.start()


def _check_restarts(body: bytes, start: int, end: int, units: int, interval: int) -> None:
    """Check that the markers between a scan's intervals are there, and in their order (T.81, E.1.4)."""
    if interval == 0:
        return
    expected = ceil(units / interval) - 1
    # Some cameras write one more behind the last interval.
    found = bytes(body[marker.end() - 1] for marker in islice(_RESTART.finditer(body, start, end), expected + 2))
    if len(found) not in (expected, expected + 1):
        raise ValueError(f"a scan does not have the {expected:,} restart markers that its picture needs")
    if found != (_RESTARTS * (len(found) // 8 + 1))[: len(found)]:
        raise ValueError("the restart markers of a scan are out of order")
