"""The font of what is written on pictures: DejaVu Sans 2.37, whose licence is beside it.

Pillow's own has ASCII and some of Latin-1. This one has the letters of all languages that are written in Latin,
Greek or Cyrillic letters, and of some more (Armenian, Georgian, Hebrew, Arabic).
"""

from pathlib import Path

from PIL import ImageFont

_FILE = Path(__file__).with_name("DejaVuSans.ttf")


def font(size: int) -> ImageFont.FreeTypeFont:
    """The font in a size in pixels."""
    return ImageFont.truetype(_FILE, size)
