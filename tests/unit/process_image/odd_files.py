"""Makes files that are sound and unusual, or damaged in ways that a decoder passes over."""

import struct
import zlib

from PIL import Image

from tests.unit.process_image.files import HEIGHT, WIDTH, chunk, noise, png, saved, scene


def zlib_png(data: bytes, depth: int = 8, colour_type: int = 0, interlaced: bool = False, extra: bytes = b"") -> bytes:
    """A PNG of the scene's size with these compressed data; all checksums of its chunks are right."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", WIDTH, HEIGHT, depth, colour_type, 0, 0, interlaced))
    return b"\x89PNG\r\n\x1a\n" + header + extra + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def broken_stream(kind: str) -> bytes:
    """A PNG whose chunks are sound and whose stream of pixels is not."""
    rows = bytes((WIDTH + 1) * HEIGHT)
    whole = zlib.compress(noise(WIDTH + 1, HEIGHT).getchannel(0).tobytes().replace(b"\x05", b"\x04"), 0)
    return {
        "breaks off": lambda: zlib_png(whole[: len(whole) // 2]),
        "wrong Adler-32": lambda: zlib_png(zlib.compress(rows)[:-1] + b"\x77"),
        "a row too few": lambda: zlib_png(zlib.compress(rows[: -WIDTH - 1])),
        "a row too few, interlaced": lambda: zlib_png(zlib.compress(rows[:-WIDTH]), interlaced=True),
    }[kind]()


def colour_key(depth: int, colour_type: int) -> bytes:
    """A PNG whose left half has the colour that is transparent, given in the file's own depth (PNG, 11.3.1.1)."""
    samples = 3 if colour_type == 2 else 1
    most = (1 << depth) - 1
    pixels = [most] * (WIDTH // 2 * samples) + [0] * (WIDTH // 2 * samples)
    bits = "".join(f"{sample:0{depth}b}" for sample in pixels)
    row = b"\0" + int(bits, 2).to_bytes(len(bits) // 8)
    key = chunk(b"tRNS", struct.pack(f">{samples}H", *[most] * samples))
    return png(WIDTH, HEIGHT, depth, colour_type, row * HEIGHT, key)


def workflow_png() -> bytes:
    """A PNG with a text of 2 MB, as programs that make pictures keep their workflow, and EXIF data at its end."""
    text = chunk(b"zTXt", b"workflow\0\0" + zlib.compress(b'{"node": "sampler"}' * 110_000))
    whole = saved(scene(), "PNG")
    return whole[:33] + text + whole[33:]


def late_orientation(orientation: int, rows: int = HEIGHT) -> bytes:
    """A PNG that is to be turned, which its last chunk says."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return saved(scene(), "PNG")[:-12] + chunk(b"eXIf", exif.tobytes()[6:]) + chunk(b"IEND", b"")


def gif_on_a_larger_screen() -> bytes:
    """A GIF whose frame is the scene and whose screen is twice as wide."""
    body = saved(scene(), "GIF")
    return body[:6] + struct.pack("<HH", 2 * WIDTH, HEIGHT) + body[10:]


def linear_grey_profile() -> bytes:
    """A colour profile of greys whose numbers grow as the light does (ICC.1:2010, 7.2, 8.4.3)."""
    curve = b"curv" + bytes(8)
    white = b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061)
    tags = {b"wtpt": white, b"kTRC": curve}
    start = 128 + 4 + 12 * len(tags)
    table = struct.pack(">I", len(tags))
    for name, data in tags.items():
        table += struct.pack(">4sII", name, start, len(data))
        start += len(data)
    header = struct.pack(">I4sI4s4s4s", start, b"lcms", 0x02400000, b"mntr", b"GRAY", b"XYZ ") + bytes(12) + b"acsp"
    light = struct.pack(">3i", 63190, 65536, 54061)
    return header + bytes(68 - len(header)) + light + bytes(48) + table + b"".join(tags.values())


def broken_jpeg(kind: str) -> bytes:
    """A JPEG of which a part is damaged, and whose segments are not."""
    whole = saved(noise(200, 200), "JPEG", quality=90)
    middle = len(whole) // 2
    rows = saved(noise(200, 200), "JPEG", quality=90, restart_marker_rows=1)
    restart = rows.index(b"\xff\xd3")
    progressive = saved(noise(200, 200), "JPEG", quality=90, progressive=True)
    return {
        "cut and closed": lambda: whole[:middle] + b"\xff\xd9",
        "a part is lost": lambda: whole[:middle] + whole[middle + 2000 :],
        "a part comes twice": lambda: whole[:middle] + whole[middle - 2000 :],
        "a restart is lost": lambda: rows[:restart] + rows[restart + 2 :],
        "restarts out of order": lambda: rows[:restart] + b"\xff\xd4" + rows[restart + 2 :],
        "progressive, scans are lost": lambda: progressive[: progressive.rindex(b"\xff\xda")] + b"\xff\xd9",
    }[kind]()
