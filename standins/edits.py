"""The edits that the OpenAI stand-in makes: real changes to the picture, cheap and plain to see."""

import colorsys
import hashlib
from functools import lru_cache
from io import BytesIO
from textwrap import shorten

from PIL import Image, ImageChops, ImageDraw, ImageOps

from functions.process_image.fonts import font

FORMATS = {"png": "PNG", "jpeg": "JPEG", "webp": "WEBP"}
_HUES = {"gold": 0.11, "green": 0.36, "blue": 0.6, "purple": 0.77, "pink": 0.92, "orange": 0.07, "red": 0.0}
# Small results keep the stand-in from taking the processor's time that is being measured.
_LONGEST_SIDE = 640
_MAX_CAPTION = 46


@lru_cache(maxsize=64)
def tinted(picture: bytes, prompt: str, output_format: str) -> bytes:
    """Tint a picture in a colour that comes from the prompt, and write the prompt's beginning below it.

    The result is in `output_format` (a key of FORMATS), at most 640 pixels on its longer side.
    """
    with Image.open(BytesIO(picture)) as opened:
        opened.draft("RGB", (_LONGEST_SIDE, _LONGEST_SIDE))
        image = ImageOps.exif_transpose(opened).convert("RGB")
    image.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
    light = _colour(prompt, value=1.0)
    toned = ImageOps.colorize(ImageOps.autocontrast(image.convert("L")), black=_colour(prompt, value=0.22), white=light)
    image = _captioned(ImageChops.blend(image, toned, 0.72), shorten(prompt, _MAX_CAPTION, placeholder="…"), light)
    out = BytesIO()
    image.save(out, FORMATS[output_format], **({"compress_level": 1} if output_format == "png" else {"quality": 85}))
    return out.getvalue()


def _colour(prompt: str, value: float) -> tuple[int, int, int]:
    """A colour of the hue that the prompt names, or else of one that is the prompt's own."""
    named = [hue for name, hue in _HUES.items() if name in prompt.lower()]
    hue = named[0] if named else hashlib.sha256(prompt.encode()).digest()[0] / 256
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.5 if value > 0.5 else 0.85, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def _captioned(image: Image.Image, text: str, colour: tuple[int, int, int]) -> Image.Image:
    size = max(8, image.width // 26)
    draw = ImageDraw.Draw(image)
    top = image.height - round(size * 1.9)
    draw.rectangle((0, top, image.width, image.height), fill=(18, 18, 24))
    draw.text((image.width // 2, (top + image.height) // 2), text, colour, font(size), anchor="mm")
    return image
