"""The local edit that stands in for OpenAI's when its billing limit is reached: inverted colours and a watermark.

Made for little time and memory: the picture is inverted in strips, in place, and only the strip that the watermark
covers is composed; `bench/fallback.py` measures it against the plain way.
"""

import math
import textwrap
from collections.abc import Iterator

from PIL import Image, ImageChops, ImageDraw, ImageFont

from functions.process_image import png
from functions.process_image.fonts import font
from functions.process_image.pictures import opened

MEDIA_TYPE = "image/png"
_STRIP_PIXELS = 1 << 15
# The watermark's share of the picture: legible on a 300-pixel thumbnail, and well below a sixth of the picture.
_MAX_WIDTH, _MAX_HEIGHT = 0.94, 0.14
_MAX_LINES = 3
_MIN_FONT_SIZE = 4
# How much larger a further line must make the letters.
_WORTH_A_LINE = 1.1
_PROBE_SIZE = 100


def invert(body: bytes, watermark: str, max_pixels: int) -> bytes:
    """Invert a picture's colours, keep its alpha, mark it at the bottom; gives a PNG of the same size.

    `body` is what `pictures.prepare` made. Raises what `pictures.opened` raises.
    """
    with opened(body, max_pixels) as file:
        source = file.decoded()
        image: Image.Image = source.convert("RGBA") if source.has_transparency_data else source
        _invert_in_place(image)
        _mark(image, watermark)
        return png.encode(image, source.info.get("icc_profile"))


def _invert_in_place(image: Image.Image) -> None:
    for box in _strips(*image.size):
        strip = image.crop(box)
        inverted = ImageChops.invert(strip)
        if image.mode == "RGBA":
            inverted.putalpha(strip.getchannel("A"))
        image.paste(inverted, box)


def _strips(width: int, height: int) -> Iterator[tuple[int, int, int, int]]:
    rows = max(1, _STRIP_PIXELS // width)
    for top in range(0, height, rows):
        yield 0, top, width, min(top + rows, height)


def _mark(image: Image.Image, text: str) -> None:
    """Set the text on a dark bar at the picture's bottom; a picture too small for letters stays without."""
    width, height = image.size
    lines, letters = _fitted(text, width, height)
    if letters is None:
        return
    spacing = round(letters.size / 4)
    measure = ImageDraw.Draw(Image.new("L", (1, 1)))
    left, top, right, bottom = measure.multiline_textbbox((0, 0), lines, letters, spacing=spacing, align="center")
    padding = max(1, round(letters.size * 0.3))
    bar = Image.new("RGBA", (width, min(height, round(bottom - top) + 2 * padding)), (0, 0, 0, 176))
    where = (width / 2 - (left + right) / 2, padding - top)
    ImageDraw.Draw(bar).multiline_text(where, lines, (255, 255, 255, 255), letters, spacing=spacing, align="center")
    box = (0, height - bar.height, width, height)
    under = image.crop(box).convert("RGBA")
    image.paste(Image.alpha_composite(under, bar).convert(image.mode), box)


def _fitted(text: str, width: int, height: int) -> tuple[str, ImageFont.FreeTypeFont | None]:
    """Break the text into as many lines as let its letters be largest within the bar."""
    best, best_size = "", 0
    for count in range(1, _MAX_LINES + 1):
        lines = _broken(text, count)
        probe = font(_PROBE_SIZE)
        longest = max(probe.getlength(line) for line in lines.split("\n")) or 1
        across = _MAX_WIDTH * width * _PROBE_SIZE / longest
        down = _MAX_HEIGHT * height / (1.25 * (lines.count("\n") + 1) + 0.6)
        if (size := int(min(across, down))) > _WORTH_A_LINE * best_size:
            best, best_size = lines, size
    return best, font(best_size) if best_size >= _MIN_FONT_SIZE else None


def _broken(text: str, count: int) -> str:
    """Break a text between words into at most `count` lines of about the same length."""
    width = math.ceil(len(text) / count)
    while len(lines := textwrap.wrap(text, width, break_long_words=False)) > count:
        width += 1
    return "\n".join(lines)
