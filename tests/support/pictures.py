"""Small real pictures for tests."""

import io

from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo


def picture(
    width: int = 64,
    height: int = 48,
    colour: str = "teal",
    file_format: str = "PNG",
    text: dict[str, str] | None = None,
) -> bytes:
    """A picture with a diagonal across it, encoded; `text` are a PNG's text chunks."""
    image = Image.new("RGB", (width, height), colour)
    ImageDraw.Draw(image).line((0, 0, width, height), fill="white", width=3)
    buffer = io.BytesIO()
    chunks = PngInfo()
    for keyword, value in (text or {}).items():
        chunks.add_text(keyword, value)
    image.save(buffer, file_format, pnginfo=chunks)
    return buffer.getvalue()
