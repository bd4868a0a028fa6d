"""Makes TIFFs, tag by tag: Pillow reads many kinds that it does not write (TIFF 6.0, section 2; BigTIFF)."""

import struct
from typing import Any

from tests.unit.process_image.files import HEIGHT, WIDTH, saved, scene

SHORT, LONG, LONG8, BYTES = 3, 4, 16, 7
_CODES = {SHORT: "H", LONG: "I", LONG8: "Q", BYTES: "B"}
_SUB_IFDS = 330

# What stands for the places of the strips, until these are known.
STRIPS: list[int] = []


def tiff(tags: dict[int, Any], strips: list[bytes], order: str = "<", big: bool = False, pages: int = 1) -> bytes:
    """A TIFF of these tags, each a number, a list of numbers, or bytes; 273 and 279 come from the strips.

    `pages` directories follow one another, all of them the same; `tags[330]` are the tags of a further one below.
    """
    offset, count, entry, head = ("Q", "Q", "HHQ", 16) if big else ("I", "H", "HHI", 8)
    below = tags.pop(_SUB_IFDS, None)
    places = [head + sum(map(len, strips[:index])) for index in range(len(strips))]
    data = b"".join(strips)
    tags = tags | {273: places, 279: [len(strip) for strip in strips]}
    position = head + len(data)
    made = bytearray()
    if below is not None:
        made += _directory(below, position, 0, order, (offset, count, entry))
        tags[_SUB_IFDS], position = [position], position + len(made)
    size = len(_directory(tags, position, 0, order, (offset, count, entry)))
    for page in range(pages):
        following = position + size if page < pages - 1 else 0
        made += _directory(tags, position, following, order, (offset, count, entry))
        position += size
    first = head + len(data) + (len(made) - pages * size)
    magic = b"II" if order == "<" else b"MM"
    version = struct.pack(order + "HHHQ", 43, 8, 0, first) if big else struct.pack(order + "HI", 42, first)
    return b"".join([magic, version, data, made])


def _directory(tags: dict[int, Any], position: int, following: int, order: str, layout: tuple[str, str, str]) -> bytes:
    offset, count, entry = layout
    inline = struct.calcsize(order + offset)
    behind = position + struct.calcsize(order + count) + len(tags) * (struct.calcsize(order + entry) + inline) + inline
    entries = values = b""
    for tag, value in sorted(tags.items()):
        kind = BYTES if isinstance(value, bytes) else LONG if tag in (256, 257, 273, 278, 279, 322, 323, 330) else SHORT
        numbers = list(value) if isinstance(value, list | bytes) else [value]
        packed = struct.pack(f"{order}{len(numbers)}{_CODES[kind]}", *numbers)
        if len(packed) > inline:
            place, values = struct.pack(order + offset, behind + len(values)), values + packed
        else:
            place = packed.ljust(inline, b"\0")
        entries += struct.pack(order + entry, tag, kind, len(numbers)) + place
    return struct.pack(order + count, len(tags)) + entries + struct.pack(order + offset, following) + values


def strip_tags(samples: int = 1, bits: int = 8, photometric: int = 1, **more: Any) -> dict[int, Any]:
    """The tags of a picture of the scene's size in one strip, or one a plane."""
    tags = {256: WIDTH, 257: HEIGHT, 258: [bits] * samples, 259: 1, 262: photometric, 277: samples, 278: HEIGHT}
    return tags | {int(tag[1:]): value for tag, value in more.items()}


def big_endian(big: bool = False) -> bytes:
    """The scene in grey, in the other byte order."""
    return tiff(strip_tags(), [scene("L").tobytes()], ">", big)


def planar(bits: int, order: str = "<", alpha: int | None = None) -> bytes:
    """The scene with each channel in a strip of its own; `alpha` 1: premultiplied, 2: not (ExtraSamples)."""
    image = scene("RGB" if alpha is None else "RGBA")
    planes = [band.tobytes() for band in image.split()]
    if bits == 16:
        planes = [bytes(byte for value in plane for byte in (value, value)) for plane in planes]
    tags = strip_tags(len(planes), bits, 2, t284=2)
    return tiff(tags if alpha is None else tags | {338: alpha}, planes, order)


def grey_with_premultiplied_alpha() -> bytes:
    """Half-transparent grey 200, stored as the 100 that it adds."""
    return tiff(strip_tags(2, t338=1), [bytes((100, 128)) * WIDTH * HEIGHT])


def raw(tags: dict[int, Any] | None = None, below: dict[int, Any] | None = None, order: str = "<") -> bytes:
    """A camera's raw file: a preview of the scene, and the sensor's data in a directory below."""
    preview = strip_tags(3, 8, 2, t254=1) | (tags or {})
    sensor = strip_tags(1, 16, 32803, t254=0) if below is None else below
    return tiff(preview | {_SUB_IFDS: sensor}, [scene().tobytes()], order)


def lab() -> bytes:
    """The scene in CIE L*a*b*."""
    from PIL import ImageCms

    to_lab = ImageCms.profileToProfile(
        scene(), ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    assert to_lab is not None
    return saved(to_lab, "TIFF")
