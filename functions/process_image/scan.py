"""Decodes a JPEG of one scan and tells whether the scan is whole, which Pillow does not.

libjpeg makes up what a scan lacks, passes over what it has too much, and warns; Pillow has no ear for its warnings. But
Pillow reads the file piece by piece, and only until the picture is done. So the last bytes of the scan must be asked
for, and nothing behind them. A scan with wrong bits ends too soon or too late, unless it finds back into step at the
very same unit: what such bits change is not told, since a JPEG has no checksums.
"""

from io import BytesIO

from PIL.ImageFile import ImageFile

# What encoders are forgiven to leave behind the last unit of a scan.
_FORGIVEN_BYTES = 512
# What may fill up a scan without being data of it.
_FILLING = b"\x00\xff"
# In the place of the end marker, so that the decoder can look beyond the last unit's bits.
_PADDING = bytes(8)


def load(image: ImageFile, body: bytes, start: int, end: int) -> None:
    """Decode an opened JPEG whose one scan is `body[start:end]`, at the size that was chosen by `draft`.

    Raises:
        ValueError: the scan has too little or too much data.
    """
    late = max(start, len(body[start:end].rstrip(_FILLING)) + start - _FORGIVEN_BYTES)
    pieces = _Pieces([body[:late], body[late:end] + _PADDING, body[end:]])
    image.fp = pieces
    image.load()
    if pieces.asked_for == 1:
        raise ValueError("its scan has more data than its picture")
    if pieces.asked_for == 3:
        raise ValueError("its scan has less data than its picture")


class _Pieces(BytesIO):
    """A file of several pieces that knows how many of them were asked for."""

    def __init__(self, pieces: list[bytes]) -> None:
        super().__init__(pieces[0])
        self._rest = pieces[1:]
        self.asked_for = 1

    def read(self, size: int | None = -1, /) -> bytes:
        found = super().read(size)
        while not found and self._rest:
            super().__init__(self._rest.pop(0))
            self.asked_for += 1
            found = super().read(size)
        return found
