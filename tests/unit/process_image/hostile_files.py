"""Makes files, in no time, that would cost a decoder far more than their picture is worth."""

import struct
import zlib
from collections.abc import Callable

from PIL import Image

from tests.unit.process_image import tiffs
from tests.unit.process_image.files import HEIGHT, WIDTH, chunk, frames, patched, png, saved, scene, text_bomb


def _jpeg_scans() -> bytes:
    """The last scan of a progressive picture, 11,000 times."""
    body = saved(Image.new("L", (4000, 4000)), "JPEG", progressive=True)
    return body[:-2] + body[body.rindex(b"\xff\xda") : -2] * 11_000 + b"\xff\xd9"


def _behind_start(filling: bytes) -> bytes:
    body = saved(scene(), "JPEG")
    return body[:2] + filling + body[2:]


def _stated_smaller(file_format: str, side: int) -> bytes:
    """A picture whose container says that it has 100 x 100 pixels."""
    body = saved(
        Image.new("RGB", (side, side)), file_format, quality=10, **({"speed": 10} if file_format == "AVIF" else {})
    )
    for place in [index for index in range(len(body)) if body.startswith(b"ispe", index)]:
        body = patched(body, place + 8, struct.pack(">II", 100, 100))
    return body


def _box(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(data), kind) + data


def _heic_grid() -> bytes:
    """A HEIC of one tile of 4096 x 4096 that its grid names 60,000 times (ISO/IEC 23008-12, 6.6.2.3)."""
    size = _box(b"ispe", struct.pack(">III", 0, 100, 100)), _box(b"ispe", struct.pack(">III", 0, 4096, 4096))
    entries = b"".join(
        _box(b"infe", struct.pack(">IHH4s", 0x02000000, item, 0, kind)) for item, kind in ((1, b"grid"), (2, b"hvc1"))
    )
    meta = (
        _box(b"pitm", struct.pack(">IH", 0, 1))
        + _box(b"iinf", struct.pack(">IH", 0, 2) + entries)
        + _box(b"iref", bytes(4) + _box(b"dimg", struct.pack(">HH", 1, 60_000) + b"\0\2" * 60_000))
        + _box(b"iprp", _box(b"ipco", b"".join(size)) + _box(b"ipma", struct.pack(">IIHBBHBB", 0, 2, 1, 1, 1, 2, 1, 2)))
    )
    return _box(b"ftyp", b"heic\0\0\0\0heicmif1") + _box(b"meta", bytes(4) + meta)


def _tiff_chain(filler: bytes = b"") -> bytes:
    """A TIFF of 80,000 directories, each a page of the same picture."""
    return tiffs.tiff(tiffs.strip_tags(), [scene("L").tobytes() + filler], pages=80_000)


def _tiff_huge(tag: int) -> bytes:
    """A TIFF whose tag has 20,000,000 values."""
    return tiffs.tiff(tiffs.strip_tags() | {tag: [0] * 20}, [bytes(80_000_000)]).replace(
        struct.pack("<HHI", tag, 3, 20), struct.pack("<HHI", tag, 4, 20_000_000)
    )


def _gif(before: bytes = b"", behind: bytes = b"") -> bytes:
    body = saved(scene(), "GIF")
    start = 13 + (3 << (body[10] & 7) + 1)
    return body[:start] + before + body[start:-1] + behind + b";"


def _webp(more: bytes) -> bytes:
    body = frames("WEBP", lossless=True)
    return body[:4] + struct.pack("<I", len(body) - 8 + len(more)) + body[8:] + more


def _bmp_runs(width: int, height: int, runs: bytes) -> bytes:
    """A BMP of 256 colours, compressed by run lengths."""
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(runs), 0, 0, 256, 0)
    colours = b"".join(bytes((i, 255 - i, i, 0)) for i in range(256))
    start = 14 + len(header) + len(colours)
    return struct.pack("<2sIHHI", b"BM", start + len(runs), 0, 0, start) + header + colours + runs


def _png(extra: bytes) -> bytes:
    return png(WIDTH, HEIGHT, 8, 0, bytes((WIDTH + 1) * HEIGHT), extra)


def _unfolding(size: int) -> bytes:
    return b"name\0\0" + zlib.compress(bytes(size), 1)


# What is refused, and what is taken although a simple way to read it would not end: each with a part of the message.
REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "JPEG, 11,000 scans": (_jpeg_scans, "over 100 scans"),
    "JPEG, 2,000,000 comments": (lambda: _behind_start(b"\xff\xfe\0\2" * 2_000_000), "over 5,000 segments"),
    "JPEG, 50 MB of filling": (lambda: _behind_start(b"\xff" * 50_000_000), "too far apart"),
    "AVIF, 2048 x 2048 stated as 100 x 100": (lambda: _stated_smaller("AVIF", 2048), "2048 x 2048"),
    "HEIC, 2048 x 2048 stated as 100 x 100": (lambda: _stated_smaller("HEIF", 2048), "damaged image/heic"),
    "HEIC, a grid of 60,000 tiles": (_heic_grid, "pixels of tiles"),
    "TIFF, 20,000,000 strips": (lambda: _tiff_huge(tag=700), "an entry of 20,000,000 values"),
    "TIFF, a tile of 3.6 gigapixels": (
        lambda: tiffs.tiff(tiffs.strip_tags(t322=60_000, t323=60_000), [bytes(99)]),
        "60000 x 60000",
    ),
    "GIF, 75 MB of comments": (
        lambda: _gif(b"\x21\xfe" + (b"\xff" + b"a" * 255) * 300_000 + b"\0"),
        "more comments than a picture needs",
    ),
    "GIF, 50 MB of nothing": (lambda: _gif(bytes(50_000_000)), "more comments than a picture needs"),
    "WebP, 1,000,000 chunks": (lambda: _webp(b"ABCD\0\0\0\0" * 1_000_000), "more metadata"),
    "WebP, a canvas of 16383 x 16383": (
        lambda: patched(frames("WEBP", lossless=True), 24, b"\xfe\x3f\0\xfe\x3f\0"),
        "16383 x 16383",
    ),
    "PNG, a text of 200 MB": (text_bomb, "over 64 MB of text"),
    "PNG, texts of 60 MB each": (lambda: _png(chunk(b"zTXt", _unfolding(60_000_000)) * 100), "over 64 MB of text"),
    "PNG, a profile of 200 MB": (lambda: _png(chunk(b"iCCP", _unfolding(200_000_000))), "over 64 MB"),
    "PNG, 100 profiles": (lambda: _png(chunk(b"iCCP", _unfolding(60_000_000)) * 100), "more chunks"),
    "PNG, 3,000,000 chunks": (lambda: _png(chunk(b"abCd", b"") * 3_000_000), "more chunks"),
    "BMP, runs of nothing": (lambda: _bmp_runs(2000, 2000, b"\0\2\0\0" * 10_000_000), "more runs than pixels"),
    "BMP, runs of 64 megapixels": (lambda: _bmp_runs(8000, 8000, b"\1\1\0\0" * 8000 + b"\0\1"), "up to 4,000,000"),
}
TAKEN: dict[str, Callable[[], bytes]] = {
    "TIFF, 80,000 directories": _tiff_chain,
    "GIF, 3,000,000 frames": lambda: _gif(behind=b"\x2c\0\0\0\0\1\0\1\0\0\2\1\0\0" * 3_000_000),
    "GIF, blocks of one byte": lambda: _gif(behind=b"\x21\xfe" + b"\1a" * 20_000_000 + b"\0"),
    "WebP, 100,000 frames": lambda: _webp(_one_frame() * 100_000),
}


def _one_frame() -> bytes:
    body = frames("WEBP", lossless=True)
    start = body.index(b"ANMF")
    return body[start : start + 8 + struct.unpack_from("<I", body, start + 4)[0]]
