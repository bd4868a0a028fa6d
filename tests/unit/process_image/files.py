"""Makes the files of the corpus.

The good ones show one scene, a quarter of each colour, so that a picture which comes out turned, mirrored, washed out
or with its colours exchanged is seen by its corners.
"""

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

from PIL import Image, ImageCms
from pillow_heif import register_heif_opener

register_heif_opener()

RED, GREEN, BLUE, WHITE = (220, 30, 30), (30, 160, 40), (30, 40, 200), (250, 250, 250)
WIDTH, HEIGHT = 48, 32
COLOURS = (RED, GREEN, BLUE, WHITE)
GREYS = ((0,) * 3, (85,) * 3, (170,) * 3, (255,) * 3)


def scene(mode: str = "RGB") -> Image.Image:
    """The scene, in colours or, for the modes that have none, in four greys."""
    image = Image.new("RGB", (WIDTH, HEIGHT))
    colours = GREYS if mode in ("L", "LA", "1", "I;16") else COLOURS
    for index, colour in enumerate(colours):
        left, top = index % 2 * WIDTH // 2, index // 2 * HEIGHT // 2
        image.paste(colour, (left, top, left + WIDTH // 2, top + HEIGHT // 2))
    if mode == "I;16":
        deep = Image.new("I;16", image.size)
        deep.putdata([value * 257 for value in image.convert("L").get_flattened_data()])
        return deep
    return image.convert(mode)


def saved(image: Image.Image, file_format: str, **options: Any) -> bytes:
    """Encode a picture."""
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def turned(orientation: int, file_format: str = "JPEG") -> bytes:
    """The scene stored so that the EXIF orientation makes it right (EXIF 2.3, 4.6.4)."""
    undo = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = scene() if undo is None else scene().transpose(undo)
    options = {"quality": 95, "subsampling": 0} if file_format == "JPEG" else {}
    return saved(image, file_format, exif=exif.tobytes(), **options)


def png(width: int, height: int, depth: int, colour_type: int, rows: bytes = b"", extra: bytes = b"") -> bytes:
    """A PNG from its parts, which need not fit together."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def chunk(kind: bytes, data: bytes) -> bytes:
    """One chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def deep_png(alpha: bool) -> bytes:
    """The scene with 16 bits a sample, in colour; Pillow reads such files and cannot write them."""
    image = scene("RGBA" if alpha else "RGB")
    samples = len(image.getbands())
    raw = image.tobytes()
    rows = [raw[start : start + WIDTH * samples] for start in range(0, len(raw), WIDTH * samples)]
    return png(
        WIDTH, HEIGHT, 16, 6 if alpha else 2, b"".join(b"\0" + bytes(b for v in row for b in (v, v)) for row in rows)
    )


def see_through() -> Image.Image:
    """The scene with its first quarter transparent."""
    image = scene("RGBA")
    image.paste((0, 0, 0, 0), (0, 0, WIDTH // 2, HEIGHT // 2))
    return image


def frames(file_format: str, **options: Any) -> bytes:
    """An animation whose first frame is the scene."""
    second = Image.new("RGB", (WIDTH, HEIGHT), "black")
    return saved(scene(), file_format, save_all=True, append_images=[second], **options)


def patched(body: bytes, offset: int, value: bytes) -> bytes:
    """A file with some of its bytes exchanged."""
    return body[:offset] + value + body[offset + len(value) :]


def huge_jpeg() -> bytes:
    """A JPEG that says it has 65,000 x 65,000 pixels."""
    body = saved(scene(), "JPEG")
    return patched(body, body.index(b"\xff\xc0") + 5, struct.pack(">HH", 65_000, 65_000))


def huge_tiff() -> bytes:
    """A TIFF that says so: width and height are the first two entries of Pillow's directory."""
    body = saved(scene(), "TIFF")
    (directory,) = struct.unpack_from("<I", body, 4)
    for entry in range(2):
        body = patched(body, directory + 2 + 12 * entry + 2, struct.pack("<HII", 4, 1, 65_000))
    return body


def with_profile(mode: str = "RGB") -> bytes:
    """A TIFF whose colours go by a profile; sRGB's, so that they must come out as they are."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return saved(scene(mode), "TIFF", icc_profile=profile)


def exchanged_profile() -> bytes:
    """A colour profile by which red is blue and blue is red: sRGB's with the two tags renamed."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile.replace(b"rXYZ", b"?XYZ").replace(b"bXYZ", b"rXYZ").replace(b"?XYZ", b"bXYZ")


def text_bomb() -> bytes:
    """A PNG with a compressed text of 200 MB."""
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(200_000_000), 1))
    return png(WIDTH, HEIGHT, 8, 0, b"\0" * (WIDTH + 1) * HEIGHT, text)


def cut(make: Callable[[], bytes], part: float = 0.6) -> Callable[[], bytes]:
    """The first part of a file."""
    return lambda: make()[: int(len(make()) * part)]


def noise(width: int = 96, height: int = 96) -> Image.Image:
    """A picture that compresses so badly that cutting its file cuts the picture."""
    return Image.merge("RGB", [Image.effect_noise((width, height), 80) for _ in range(3)])


def avif_with_crop(width: int, height: int) -> bytes:
    """The scene in the middle of an AVIF of this size, with a crop (`clap`) that shows it alone."""
    image = Image.new("RGB", (width, height), "black")
    image.paste(scene(), ((width - WIDTH) // 2, (height - HEIGHT) // 2))
    body = saved(image, "AVIF", quality=95, subsampling="4:4:4")
    # Width, height, and how far the middles of crop and picture lie apart (ISO/IEC 14496-12, 12.1.4).
    clap = struct.pack(">I4sIIIIiIiI", 40, b"clap", WIDTH, 1, HEIGHT, 1, 0, 1, 0, 1)
    properties, associations = body.index(b"ipco") - 4, body.index(b"ipma") - 4
    (length,) = struct.unpack_from(">I", body, properties)
    kinds, position = 0, properties + 8
    while position < properties + length:
        position += struct.unpack_from(">I", body, position)[0]
        kinds += 1
    many = associations + 18  # of the first item, which is the picture
    new = bytearray(body)
    new[many] += 1
    new[many + 1 + body[many] : many + 1 + body[many]] = bytes([0x80 | kinds + 1])
    new[properties + length : properties + length] = clap
    for kind, grown in ((b"meta", 41), (b"iprp", 41), (b"ipco", 40), (b"ipma", 1)):
        at = new.index(kind) - 4
        new[at : at + 4] = struct.pack(">I", struct.unpack_from(">I", new, at)[0] + grown)
    data = body.index(b"mdat") + 4
    return bytes(new).replace(struct.pack(">I", data), struct.pack(">I", data + 41), 1)
