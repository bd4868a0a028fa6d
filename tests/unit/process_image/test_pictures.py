"""Every file of the corpus, and what is sent to OpenAI of it."""

import io
import random
import re
from contextlib import suppress
from typing import Any

import pytest
from PIL import Image

from functions.process_image.pictures import Picture, prepare
from imagejobs.errors import ImageTooLargeError, UnsupportedImageError
from tests.unit.process_image.corpus import BAD, GOOD, LIMIT_PIXELS, Bad, Good
from tests.unit.process_image.files import RED, exchanged_profile, noise, saved

# Pillow warns of broken metadata, which does not matter here.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

# How many damaged copies of each file are tried.
DAMAGES = 50


@pytest.mark.parametrize("good", [pytest.param(case, id=name) for name, case in GOOD.items()])
def test_a_good_file_comes_out_right(good: Good) -> None:
    body = good.make()

    picture = prepare(body, LIMIT_PIXELS)

    assert (picture.body == body) is good.as_it_is
    assert (picture.media_type, picture.note) == (good.media_type, good.note)
    assert_shows(picture, good)


@pytest.mark.parametrize("size", [(8160, 6144), (8192, 6144)])
def test_a_photo_of_a_50_megapixel_phone_is_taken_by_default(size: tuple[int, int]) -> None:
    body = saved(Image.new("RGB", size, RED), "JPEG")

    assert prepare(body, LIMIT_PIXELS) == Picture(body, "image/jpeg")


def assert_shows(picture: Picture, good: Good) -> None:
    with Image.open(io.BytesIO(picture.body)) as image:
        assert image.get_format_mimetype() in (picture.media_type, "image/mpo")
        assert image.size == good.size
        assert image.mode in ("RGB", "RGBA", "L")
        right, bottom = image.width - 1, image.height - 1
        for place, expected in zip([(0, 0), (right, 0), (0, bottom), (right, bottom)], good.corners, strict=True):
            assert close(channels(image.getpixel(place)), channels(expected), good.tolerance), (place, expected)


def channels(pixel: Any) -> tuple[int, ...]:
    return pixel if isinstance(pixel, tuple) else (pixel,)


def close(found: tuple[int, ...], expected: tuple[int, ...], tolerance: int) -> bool:
    if expected[3:] == (0,):  # what is transparent has no colour to compare
        found, expected = found[3:], expected[3:]
    return all(abs(a - b) <= tolerance for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("bad", [pytest.param(case, id=name) for name, case in BAD.items()])
def test_a_bad_file_is_refused_with_a_reason(bad: Bad) -> None:
    with pytest.raises(bad.error, match=re.escape(bad.message)):
        prepare(bad.make(), LIMIT_PIXELS)


@pytest.mark.parametrize(("file_format", "media_type"), [("PNG", "image/png"), ("JPEG", "image/jpeg")])
def test_a_file_over_openais_size_is_scaled_down_to_fit(file_format: str, media_type: str) -> None:
    body = saved(noise(300, 200), file_format)
    limit = len(body) // 3

    picture = prepare(body, LIMIT_PIXELS, limit)

    assert limit / 4 < len(picture.body) <= limit
    assert picture.media_type == media_type
    with Image.open(io.BytesIO(picture.body)) as image:
        image.load()
        assert image.width / image.height == pytest.approx(1.5, abs=0.05)
        size = f"{image.width} x {image.height}"
    assert picture.note == f"scaled down from 300 x 200 to {size} pixels to fit OpenAI's limit of 50 MB"


def test_a_conversion_over_openais_size_is_scaled_down_to_fit() -> None:
    body = saved(noise(300, 200), "BMP")

    picture = prepare(body, LIMIT_PIXELS, max_bytes=20_000)

    assert len(picture.body) <= 20_000
    assert picture.note is not None


def test_the_pixel_cap_is_a_setting() -> None:
    with pytest.raises(ImageTooLargeError, match="48 x 32 = 1,536 pixels; the limit is 1,535"):
        prepare(GOOD["PNG"].make(), 1535)


def test_colours_go_by_the_profile_that_the_file_has() -> None:
    body = saved(Image.new("RGB", (8, 8), (255, 0, 0)), "TIFF", icc_profile=exchanged_profile())

    picture = prepare(body, LIMIT_PIXELS)

    with Image.open(io.BytesIO(picture.body)) as image:
        assert image.getpixel((0, 0)) == (0, 0, 255)
        assert "icc_profile" not in image.info


@pytest.mark.parametrize("damage", ["one bit", "no end", "cut"])
def test_a_png_is_checked_to_its_last_chunk(damage: str) -> None:
    """Pillow's decoder passes over wrong checksums, and over what lacks behind the last row."""
    whole = saved(Image.effect_noise((64, 64), 90).convert("RGB"), "PNG")
    data = whole.index(b"IDAT") + 1000
    damaged = {
        "one bit": whole[:data] + bytes([whole[data] ^ 1]) + whole[data + 1 :],
        "no end": whole[:-12],
        "cut": whole[:-20],
    }[damage]

    assert prepare(whole, LIMIT_PIXELS).body == whole
    with pytest.raises(UnsupportedImageError, match="damaged image/png file"):
        prepare(damaged, LIMIT_PIXELS)


def test_a_broken_header_is_told_plainly() -> None:
    with pytest.raises(
        UnsupportedImageError, match=r"^damaged image/png file: it breaks off, or its parts do not fit together$"
    ):
        prepare(GOOD["PNG"].make()[:30], LIMIT_PIXELS)


@pytest.mark.parametrize("name", GOOD)
def test_a_file_damaged_anywhere_is_edited_or_refused_with_a_reason(name: str) -> None:
    whole = GOOD[name].make()
    chance = random.Random(name)
    for _ in range(DAMAGES):
        body = bytearray(whole)
        for _ in range(chance.randint(1, 12)):
            body[chance.randrange(len(body))] = chance.randrange(256)
        # Any other exception, or a crash of a decoder, fails the test.
        with suppress(UnsupportedImageError, ImageTooLargeError):
            assert prepare(bytes(body), LIMIT_PIXELS).body
