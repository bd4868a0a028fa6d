"""The edits that the stand-ins make: real changes to the picture, cheap and plain to see."""

from functools import lru_cache
from io import BytesIO
from textwrap import shorten

from PIL import Image, ImageDraw, ImageOps

from functions.process_image.fonts import font
from standins.looks import colour_of, repainted

FORMATS = {"png": "PNG", "jpeg": "JPEG", "webp": "WEBP"}
# Small results keep a stand-in from taking the processor's time that is being measured.
_LONGEST_SIDE = 640
_MAX_CAPTION = 46


@lru_cache(maxsize=64)
def edit_of(picture: bytes, prompt: str, output_format: str) -> bytes:
    """Repaint a picture as its prompt asks, and write the prompt's beginning below it.

    The result is in `output_format` (a key of FORMATS), at most 640 pixels on its longer side.
    """
    with Image.open(BytesIO(picture)) as opened:
        opened.draft("RGB", (_LONGEST_SIDE, _LONGEST_SIDE))
        image = ImageOps.exif_transpose(opened).convert("RGB")
    image.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
    image = repainted(image, prompt)
    _caption(image, shorten(prompt, _MAX_CAPTION, placeholder="…"), colour_of(prompt, 1.0))
    out = BytesIO()
    image.save(out, FORMATS[output_format], **({"compress_level": 1} if output_format == "png" else {"quality": 85}))
    return out.getvalue()


def _caption(image: Image.Image, text: str, colour: tuple[int, int, int]) -> None:
    size = max(8, image.width // 34)
    draw = ImageDraw.Draw(image)
    top = image.height - round(size * 1.8)
    draw.rectangle((0, top, image.width, image.height), fill=(18, 18, 24))
    draw.text((image.width // 2, (top + image.height) // 2), text, colour, font(size), anchor="mm")
