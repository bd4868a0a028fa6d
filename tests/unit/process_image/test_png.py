"""The PNG writer, read back by Pillow."""

import io
import random

from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from functions.process_image import png


@settings(max_examples=60, deadline=None)
@given(
    mode=st.sampled_from(["L", "RGB", "RGBA"]),
    width=st.integers(1, 600),
    height=st.integers(1, 600),
    seed=st.integers(0, 2**32),
)
def test_every_pixel_comes_back(mode: str, width: int, height: int, seed: int) -> None:
    noise = random.Random(seed).randbytes(width * height * len(mode))
    image = Image.frombytes(mode, (width, height), noise)

    with Image.open(io.BytesIO(png.encode(image))) as read:
        read.load()
        assert (read.mode, read.size, read.tobytes()) == (mode, (width, height), noise)


def test_a_large_picture_goes_through_in_strips() -> None:
    image = Image.linear_gradient("L").resize((3000, 2000)).convert("RGB")

    body = png.encode(image)

    with Image.open(io.BytesIO(body)) as read:
        assert read.tobytes() == image.tobytes()
    assert len(body) < 3000 * 2000 * 3 / 50
