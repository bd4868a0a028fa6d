"""AV1: the size in a sequence header (AV1 bitstream specification, 5.5)."""

HEAD_BYTES = 256
_SEQUENCE_HEADER = 1


def frame_size(data: bytes) -> tuple[int, int] | None:
    """The largest width and height of the frames that begin here; None where no sequence header is found."""
    position = 0
    while position + 2 <= len(data):
        kind, extended, sized = data[position] >> 3 & 15, data[position] & 4, data[position] & 2
        position += 2 if extended else 1
        length, shift = 0, 0
        while sized and position < len(data):
            byte = data[position]
            position += 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        if kind == _SEQUENCE_HEADER:
            return _stated_size(_Bits(data[position:]))
        if not sized:
            return None
        position += length
    return None


class _Bits:
    """Reads numbers of so many bits; behind the end there are zeros."""

    def __init__(self, data: bytes) -> None:
        self.value = int.from_bytes(data + bytes(64))
        self.left = 8 * (len(data) + 64)

    def read(self, count: int) -> int:
        self.left -= count
        return self.value >> max(0, self.left) & ((1 << count) - 1)


def _stated_size(bits: _Bits) -> tuple[int, int]:
    bits.read(4)  # profile, still picture
    if bits.read(1):  # reduced still picture header
        bits.read(5)
    else:
        delay_bits = _skip_timing(bits)
        _skip_operating_points(bits, delay_bits)
    across, down = bits.read(4) + 1, bits.read(4) + 1
    return bits.read(across) + 1, bits.read(down) + 1


def _skip_timing(bits: _Bits) -> int:
    """Skip timing and decoder model; gives the bits of a buffer's delay, 0 where there is no model."""
    if not bits.read(1):
        return 0
    bits.read(64)
    if bits.read(1):  # uvlc: as many bits as zeros before the first one
        zeros = 0
        while zeros < 32 and not bits.read(1):
            zeros += 1
        bits.read(zeros)
    if not bits.read(1):
        return 0
    delay_bits = bits.read(5) + 1
    bits.read(42)
    return delay_bits


def _skip_operating_points(bits: _Bits, delay_bits: int) -> None:
    delays = bits.read(1)
    for _ in range(bits.read(5) + 1):
        bits.read(12)
        if bits.read(5) > 7:
            bits.read(1)
        if delay_bits and bits.read(1):
            bits.read(2 * delay_bits + 1)
        if delays and bits.read(1):
            bits.read(4)
