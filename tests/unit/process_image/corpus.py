"""Files that arrive, good and hostile, each with what becomes of it. All are made at test time, none is kept."""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from PIL import Image

from functions.process_image.settings import ProcessImageSettings
from imagejobs.errors import ImageTooLargeError, JobError, UnsupportedImageError
from tests.unit.process_image import odd_files, tiffs
from tests.unit.process_image.files import (
    BLUE,
    COLOURS,
    GREEN,
    GREYS,
    HEIGHT,
    RED,
    WHITE,
    WIDTH,
    avif_with_crop,
    cut,
    deep_png,
    frames,
    huge_jpeg,
    huge_tiff,
    noise,
    patched,
    png,
    saved,
    scene,
    see_through,
    text_bomb,
    turned,
    with_profile,
)

LIMIT_PIXELS = ProcessImageSettings().max_image_pixels

# What the pixels in the corners are: top left and right, bottom left and right.
type Corners = tuple[Any, Any, Any, Any]


@dataclass(frozen=True)
class Good:
    """A file that is taken. `corners` (top left and right, bottom left and right) within `tolerance` a channel."""

    make: Callable[[], bytes]
    media_type: str
    as_it_is: bool = False
    corners: Corners = COLOURS
    tolerance: int = 3
    size: tuple[int, int] = (WIDTH, HEIGHT)
    note: str | None = None


@dataclass(frozen=True)
class Bad:
    """A file that is refused, with this in the message."""

    make: Callable[[], bytes]
    message: str
    error: type[JobError] = UnsupportedImageError


FIRST_OF_TWO = "only the first of 2 frames was edited"
CLEAR: Corners = ((0, 0, 0, 0), (*GREEN, 255), (*BLUE, 255), (*WHITE, 255))
OPAQUE: Corners = tuple((*colour, 255) for colour in COLOURS)  # type: ignore[assignment]
GREY_OPAQUE: Corners = tuple((*colour, 255) for colour in GREYS)  # type: ignore[assignment]
HALF_CLEAR: Corners = ((0, 0, 0, 0), (0, 0, 0, 255), (0, 0, 0, 0), (0, 0, 0, 255))
TWO_TONES: Corners = ((0,) * 3, (0,) * 3, (255,) * 3, (255,) * 3)

PNG, JPEG, WEBP = "image/png", "image/jpeg", "image/webp"

GOOD: dict[str, Good] = {
    "PNG": Good(lambda: saved(scene(), "PNG"), PNG, as_it_is=True),
    "PNG with alpha": Good(lambda: saved(see_through(), "PNG"), PNG, as_it_is=True, corners=CLEAR),
    "PNG, grey": Good(lambda: saved(scene("L"), "PNG"), PNG, as_it_is=True, corners=(0, 85, 170, 255)),
    "PNG, one colour transparent": Good(lambda: saved(scene(), "PNG", transparency=RED), PNG, as_it_is=True),
    "PNG, palette": Good(lambda: saved(scene().quantize(8), "PNG"), PNG),
    "PNG, palette with transparency": Good(
        lambda: saved(see_through().quantize(8, method=Image.Quantize.FASTOCTREE), "PNG"),
        PNG,
        corners=CLEAR,
        tolerance=24,
    ),
    "PNG, grey with alpha": Good(lambda: saved(scene("LA"), "PNG"), PNG, corners=GREY_OPAQUE),
    "PNG, black and white": Good(
        lambda: saved(scene("L").point(lambda v: 255 * (v > 127), "1"), "PNG"), PNG, corners=TWO_TONES
    ),
    "PNG, 16 bits grey": Good(lambda: saved(scene("I;16"), "PNG"), PNG, corners=GREYS),
    "PNG, 16 bits": Good(lambda: deep_png(alpha=False), PNG),
    "PNG, 16 bits with alpha": Good(lambda: deep_png(alpha=True), PNG, corners=OPAQUE),
    "PNG, animated": Good(lambda: frames("PNG"), PNG, note=FIRST_OF_TWO),
    "PNG, turned": Good(lambda: turned(6, "PNG"), PNG),
    "PNG, turned by its last chunk": Good(
        lambda: odd_files.late_orientation(3), PNG, corners=(WHITE, BLUE, GREEN, RED)
    ),
    "PNG with a text of 2 MB": Good(odd_files.workflow_png, PNG, as_it_is=True),
    "PNG, 16 bits, one colour transparent": Good(lambda: odd_files.colour_key(16, 2), PNG, corners=HALF_CLEAR),
    "PNG, 16 bits grey, one transparent": Good(lambda: odd_files.colour_key(16, 0), PNG, corners=HALF_CLEAR),
    "PNG, black and white, white transparent": Good(lambda: odd_files.colour_key(1, 0), PNG, corners=HALF_CLEAR),
    "PNG, grey with a profile": Good(
        lambda: saved(Image.new("LA", (8, 8), (128, 255)), "PNG", icc_profile=odd_files.linear_grey_profile()),
        PNG,
        corners=((188, 188, 188, 255),) * 4,
        size=(8, 8),
    ),
    "TIFF, grey with a profile": Good(
        lambda: saved(Image.new("L", (8, 8), 128), "TIFF", icc_profile=odd_files.linear_grey_profile()),
        PNG,
        corners=((188, 188, 188),) * 4,
        size=(8, 8),
    ),
    "PNG, one pixel": Good(lambda: saved(Image.new("RGB", (1, 1), RED), "PNG"), PNG, True, (RED,) * 4, size=(1, 1)),
    "PNG, a line": Good(
        lambda: saved(Image.new("RGB", (1, 20_000), RED), "PNG"), PNG, True, (RED,) * 4, size=(1, 20_000)
    ),
    "JPEG": Good(lambda: saved(scene(), "JPEG", quality=95), JPEG, as_it_is=True, tolerance=12),
    "JPEG, progressive": Good(
        lambda: saved(scene(), "JPEG", quality=95, progressive=True), JPEG, as_it_is=True, tolerance=12
    ),
    "JPEG, grey": Good(lambda: saved(scene("L"), "JPEG"), JPEG, as_it_is=True, corners=(0, 85, 170, 255)),
    "JPEG, CMYK": Good(lambda: saved(scene("CMYK"), "JPEG", quality=95, subsampling=0), JPEG, tolerance=12),
    "JPEG, upright by EXIF": Good(lambda: turned(1), JPEG, as_it_is=True, tolerance=8),
    **{
        f"JPEG, EXIF orientation {orientation}": Good(partial(turned, orientation), JPEG, tolerance=8)
        for orientation in range(2, 9)
    },
    "JPEG, broken EXIF": Good(
        lambda: saved(scene(), "JPEG", quality=95, subsampling=0, exif=b"Exif\0\0II*\0\xff\xff\xff\xff"),
        JPEG,
        True,
        tolerance=8,
    ),
    "JPEG of several pictures, as phones make them": Good(
        lambda: frames("MPO", quality=95, subsampling=0), JPEG, True, tolerance=8
    ),
    "WebP": Good(lambda: saved(scene(), "WEBP", quality=95), WEBP, as_it_is=True, tolerance=20),
    "WebP with alpha": Good(
        lambda: saved(see_through(), "WEBP", lossless=True, exact=True), WEBP, as_it_is=True, corners=CLEAR
    ),
    "WebP, animated": Good(lambda: frames("WEBP", lossless=True), PNG, note=FIRST_OF_TWO),
    "GIF": Good(lambda: saved(scene(), "GIF"), PNG),
    "GIF with transparency": Good(lambda: saved(see_through(), "GIF"), PNG, corners=CLEAR),
    "GIF, smaller than its screen": Good(
        odd_files.gif_on_a_larger_screen,
        PNG,
        corners=((*RED, 255), (0, 0, 0, 0), (*BLUE, 255), (0, 0, 0, 0)),
        size=(2 * WIDTH, HEIGHT),
    ),
    "GIF, animated": Good(lambda: frames("GIF"), PNG, note=FIRST_OF_TWO),
    "BMP": Good(lambda: saved(scene(), "BMP"), PNG),
    "BMP, palette": Good(lambda: saved(scene().quantize(8), "BMP"), PNG),
    "TIFF": Good(lambda: saved(scene(), "TIFF"), PNG),
    "TIFF, LZW": Good(lambda: saved(scene(), "TIFF", compression="tiff_lzw"), PNG),
    "TIFF, big-endian": Good(tiffs.big_endian, PNG, corners=GREYS),
    "TIFF, big-endian, its large kind": Good(lambda: tiffs.big_endian(big=True), PNG, corners=GREYS),
    **{
        f"TIFF, channels apart, {bits} bits, {order}": Good(partial(tiffs.planar, bits, order), PNG)
        for bits in (8, 16)
        for order in ("<", ">")
    },
    **{
        f"TIFF, channels apart, {bits} bits, alpha {alpha}": Good(
            partial(tiffs.planar, bits, "<", alpha), PNG, corners=OPAQUE
        )
        for bits in (8, 16)
        for alpha in (1, 2)
    },
    "TIFF, grey with premultiplied alpha": Good(
        tiffs.grey_with_premultiplied_alpha, PNG, corners=((200, 200, 200, 128),) * 4
    ),
    "TIFF, CIE Lab": Good(tiffs.lab, PNG, tolerance=6),
    "TIFF with smaller copies of its picture": Good(
        lambda: tiffs.tiff(tiffs.strip_tags(t330=tiffs.strip_tags(t254=1)), [scene("L").tobytes()]), PNG, corners=GREYS
    ),
    "TIFF, its large kind": Good(lambda: saved(scene(), "TIFF", big_tiff=True), PNG),
    "TIFF, CMYK": Good(lambda: saved(scene("CMYK"), "TIFF"), PNG),
    "TIFF, 16 bits grey": Good(lambda: saved(scene("I;16"), "TIFF"), PNG, corners=GREYS),
    "TIFF, grey with alpha": Good(lambda: saved(scene("LA"), "TIFF"), PNG, corners=GREY_OPAQUE),
    "TIFF, several pages": Good(lambda: frames("TIFF"), PNG, note=FIRST_OF_TWO),
    "TIFF with a colour profile": Good(with_profile, PNG),
    "TIFF with a profile that does not fit": Good(lambda: with_profile("CMYK"), PNG),
    "TIFF with a broken profile": Good(lambda: saved(scene(), "TIFF", icc_profile=b"no profile at all" * 9), PNG),
    "AVIF": Good(lambda: saved(scene(), "AVIF", quality=95), JPEG, tolerance=12),
    "AVIF with alpha": Good(
        lambda: saved(see_through(), "AVIF", quality=100, subsampling="4:4:4"), PNG, corners=CLEAR, tolerance=12
    ),
    "AVIF with a crop": Good(lambda: avif_with_crop(100, 80), JPEG, tolerance=8),
    "AVIF, animated": Good(
        lambda: frames("AVIF", quality=95, subsampling="4:4:4"), JPEG, tolerance=12, note=FIRST_OF_TWO
    ),
    "AVIF, turned": Good(lambda: turned(6, "AVIF"), JPEG, tolerance=20),
    "HEIC": Good(lambda: saved(scene(), "HEIF", quality=95), JPEG, tolerance=12),
    "HEIC with alpha": Good(lambda: saved(see_through(), "HEIF", quality=95), PNG, corners=CLEAR, tolerance=12),
    "HEIC of two pictures": Good(lambda: frames("HEIF", quality=95), JPEG, tolerance=12, note=FIRST_OF_TWO),
    "HEIC, turned": Good(lambda: turned(8, "HEIF"), JPEG, tolerance=20),
}

BAD: dict[str, Bad] = {
    "nothing": Bad(lambda: b"", "is empty"),
    "one byte": Bad(lambda: b"\x89", "of no known type"),
    "random bytes": Bad(lambda: bytes((i * 167 + 13) % 256 for i in range(999)), "of no known type"),
    "a PNG's signature alone": Bad(lambda: b"\x89PNG\r\n\x1a\n", "image/png"),
    "a PNG with other things behind": Bad(lambda: b"\x89PNG\r\n\x1a\n" + b"hello" * 50, "image/png"),
    "a PNG of no size": Bad(lambda: png(0, 0, 8, 2), "image/png"),
    "a PNG with no picture": Bad(lambda: png(WIDTH, HEIGHT, 8, 2), "image/png"),
    "a PNG with a wrong checksum": Bad(lambda: patched(saved(noise(), "PNG"), 29, b"oops"), "image/png"),
    "a PNG of 900 megapixels": Bad(lambda: png(30_000, 30_000, 8, 2), "900,000,000 pixels", ImageTooLargeError),
    "a PNG of one row too many": Bad(lambda: png(10_000, 6_401, 1, 0), "64,010,000 pixels", ImageTooLargeError),
    "a PNG with 200 MB of text in 200 KB": Bad(text_bomb, "over 64 MB of text"),
    "a JPEG of 4 gigapixels": Bad(huge_jpeg, "the limit is 64,000,000", ImageTooLargeError),
    "a GIF of 4 gigapixels": Bad(
        lambda: patched(saved(scene(), "GIF"), 6, b"\xff\xff\xff\xff"), "the limit is 64,000,000", ImageTooLargeError
    ),
    "a BMP of 4 gigapixels": Bad(
        lambda: patched(saved(scene(), "BMP"), 18, struct.pack("<II", 65_000, 65_000)), "the limit", ImageTooLargeError
    ),
    "a TIFF of 4 gigapixels": Bad(huge_tiff, "the limit is 64,000,000", ImageTooLargeError),
    "a JPEG broken off": Bad(cut(lambda: saved(noise(), "JPEG")), "image/jpeg"),
    "a PNG broken off": Bad(cut(lambda: saved(noise(), "PNG")), "image/png"),
    "a WebP broken off": Bad(cut(lambda: saved(noise(), "WEBP")), "image/webp"),
    "a GIF broken off": Bad(cut(lambda: saved(noise(), "GIF")), "image/gif"),
    "a BMP broken off": Bad(cut(lambda: saved(noise(), "BMP")), "image/bmp"),
    "a TIFF broken off": Bad(cut(lambda: saved(noise(), "TIFF", compression="tiff_lzw")), "image/tiff"),
    "an AVIF broken off": Bad(cut(lambda: saved(noise(), "AVIF")), "image/avif"),
    "a HEIC broken off": Bad(cut(lambda: saved(noise(), "HEIF")), "image/heic"),
    "a JPEG's first bytes": Bad(lambda: b"\xff\xd8\xff\xe0" + bytes(64), "image/jpeg"),
    **{
        f"a PNG whose stream is broken: {kind}": Bad(partial(odd_files.broken_stream, kind), "damaged image/png")
        for kind in ("breaks off", "wrong Adler-32", "a row too few", "a row too few, interlaced")
    },
    **{
        f"a JPEG that is damaged: {kind}": Bad(partial(odd_files.broken_jpeg, kind), "damaged image/jpeg")
        for kind in (
            "cut and closed",
            "a part is lost",
            "a part comes twice",
            "a restart is lost",
            "restarts out of order",
            "progressive, scans are lost",
        )
    },
    "a DNG": Bad(lambda: tiffs.raw({50706: b"\1\4\0\0"}, tiffs.strip_tags()), "a camera raw file"),
    "a NEF": Bad(tiffs.raw, "a camera raw file: export it as JPEG or TIFF"),
    "a NEF, big-endian": Bad(lambda: tiffs.raw(order=">"), "a camera raw file"),
    "a PEF": Bad(
        lambda: tiffs.tiff(tiffs.strip_tags(1, 16, 32803), [bytes(2 * WIDTH * HEIGHT)], ">"), "a camera raw file"
    ),
    "a linear raw file": Bad(lambda: tiffs.raw(below=tiffs.strip_tags(3, 16, 34892)), "a camera raw file"),
    "a TIFF that begins with a preview": Bad(
        lambda: tiffs.raw(below=tiffs.strip_tags(3, 8, 2) | {256: 9 * WIDTH}), "begins with a preview"
    ),
    "a TIFF of a kind that is hardly in use": Bad(
        lambda: tiffs.tiff(tiffs.strip_tags(3, 32, 2), [bytes(12 * WIDTH * HEIGHT)]),
        "this kind is not taken (3 samples a pixel of 32 bits",
    ),
    "a TIFF of an unknown compression": Bad(
        lambda: tiffs.tiff(tiffs.strip_tags(t259=34892), [bytes(99)]), "photometric interpretation 1, compression 34892"
    ),
    "a lossless JPEG": Bad(
        lambda: saved(scene(), "JPEG").replace(b"\xff\xc0", b"\xff\xc3"), "a lossless or hierarchical JPEG is not taken"
    ),
    "a JPEG of 12 bits": Bad(
        lambda: saved(scene(), "JPEG").replace(b"\xff\xc0\0\x11\x08", b"\xff\xc1\0\x11\x0c"),
        "a JPEG of 12 bits a sample",
    ),
    "a BMP with a JPEG inside": Bad(
        lambda: patched(saved(scene(), "BMP"), 30, struct.pack("<I", 4)), "a BMP with a JPEG or PNG inside"
    ),
    "a TIFF of floating-point samples": Bad(lambda: saved(scene("L").convert("F"), "TIFF"), "32 bits a sample"),
    "a TIFF of 32-bit samples": Bad(lambda: saved(scene("L").convert("I"), "TIFF"), "32 bits a sample"),
    "an SVG": Bad(lambda: b'<svg xmlns="http://www.w3.org/2000/svg"/>', "an SVG drawing"),
    "an SVG with all that may stand before it": Bad(
        lambda: b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- by hand -->\n<!DOCTYPE svg PUBLIC "x" "y">\n<svg></svg>',
        "an SVG drawing",
    ),
    "a PDF": Bad(lambda: b"%PDF-1.7\n%\xe2\xe3\xcf\xd3", "a PDF document"),
    "a web page": Bad(lambda: b"<!DOCTYPE html><html><body>404</body></html>", "an HTML page"),
    "an XML document": Bad(lambda: b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "an XML document"),
    "JSON": Bad(lambda: b'{"error": "not found"}', "a JSON document"),
    "text": Bad(lambda: b"The quick brown fox jumps over the lazy dog.", "plain text"),
    "a Photoshop document": Bad(lambda: b"8BPS\x00\x01" + bytes(40), "a Photoshop document"),
    "PostScript": Bad(lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n", "a PostScript document"),
    "a JPEG 2000": Bad(lambda: saved(scene(), "JPEG2000"), "a JPEG 2000 image"),
    "a JPEG XL": Bad(lambda: b"\x00\x00\x00\x0cJXL \r\n\x87\n", "a JPEG XL image"),
    "an icon": Bad(lambda: saved(scene(), "ICO"), "an icon"),
    "a video": Bad(lambda: b"\x00\x00\x00\x18ftypmp42" + bytes(40), "a video"),
    "a sound": Bad(lambda: b"RIFF\x24\x00\x00\x00WAVEfmt ", "a sound file"),
    "a ZIP archive": Bad(lambda: b"PK\x03\x04" + bytes(40), "a ZIP archive"),
    "a program": Bad(lambda: b"\x7fELF" + bytes(40), "a program"),
}
