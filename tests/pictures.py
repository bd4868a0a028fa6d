"""Small real pictures for tests."""

import io

from PIL import Image, ImageDraw


def picture(width: int = 64, height: int = 48, colour: str = "teal", file_format: str = "PNG") -> bytes:
    """A picture with a diagonal across it, encoded."""
    image = Image.new("RGB", (width, height), colour)
    ImageDraw.Draw(image).line((0, 0, width, height), fill="white", width=3)
    buffer = io.BytesIO()
    image.save(buffer, file_format)
    return buffer.getvalue()
