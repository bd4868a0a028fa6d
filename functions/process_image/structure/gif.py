"""GIF: its frames (GIF89a specification)."""

import struct

from functions.process_image.structure.findings import MAX_FRAMES, Box, Findings
from imagejobs.errors import UnsupportedImageError

_EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, 0x3B
# How many steps, from block to block of up to 255 bytes, are made to count the frames; one of 16 MB has 65,000.
_MAX_STEPS = 1_000_000
# Pillow reads what stands before the first frame in Python, as this does.
_MAX_STEPS_BEFORE = 100_000


def read(body: bytes) -> Findings:
    """Read the first frame's place on the screen and count the frames."""
    width, height, flags = struct.unpack_from("<HHB", body, 6)
    walk = _Walk(body, 13 + _table(flags), _MAX_STEPS_BEFORE)
    first = walk.next_frame()
    if first is None:
        if walk.steps_left <= 0:
            raise UnsupportedImageError("the GIF has more comments than a picture needs: save it without them")
        raise ValueError("it has no picture")
    walk.steps_left = _MAX_STEPS
    frames = 1
    while frames <= MAX_FRAMES and walk.next_frame():
        frames += 1
    whole = (0, 0, max(width, first[2]), max(height, first[3]))
    return Findings(largest=whole[2:], frames=frames, covered=None if first == whole else first)


def _table(flags: int) -> int:
    """The bytes of a colour table that these flags announce."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


class _Walk:
    """A walk from block to block, of so many steps at the most."""

    def __init__(self, body: bytes, position: int, steps: int) -> None:
        self.body = body
        self.position = position
        self.steps_left = steps

    def next_frame(self) -> Box | None:
        """Find the next frame and give its place on the screen; the walk then stands at its data."""
        body = self.body
        while self.position < len(body) and self.steps_left > 0:
            kind = body[self.position]
            if kind == _TRAILER:
                return None
            if kind == _EXTENSION:
                self.position += 2
                self._skip_blocks()
            elif kind == _IMAGE:
                left, top, width, height, flags = struct.unpack_from("<HHHHB", body, self.position + 1)
                self.position += 11 + _table(flags)
                self._skip_blocks()
                return left, top, left + width, top + height
            else:  # Pillow passes over it, too
                self.position += 1
                self.steps_left -= 1
        return None

    def _skip_blocks(self) -> None:
        body, position, steps = self.body, self.position, 0
        while position < len(body) and steps < self.steps_left:
            size = body[position]
            position += 1 + size
            steps += 1
            if size == 0:
                break
        self.position = position
        self.steps_left -= steps
