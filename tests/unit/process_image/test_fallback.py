"""The local fallback: an exact inversion, with a watermark that can be read and covers little."""

import io

import pytest
from PIL import Image, ImageChops

from functions.process_image.fallback import invert
from functions.process_image.fonts import font
from functions.process_image.settings import ProcessImageSettings
from tests.unit.process_image.files import exchanged_profile, noise, saved, scene, see_through
from tests.unit.process_image.odd_files import colour_key

TEXT, MAX_PIXELS = ProcessImageSettings().fallback_watermark_text, ProcessImageSettings().max_image_pixels
MAX_SHARE = 0.16  # of the picture's height that the watermark may cover


def fallen_back(image: Image.Image, file_format: str = "PNG", text: str = TEXT, **options: object) -> Image.Image:
    """The fallback's picture of an image, decoded."""
    body = invert(saved(image, file_format, **options), text, MAX_PIXELS)
    made = Image.open(io.BytesIO(body))
    made.load()
    assert made.format == "PNG"
    return made


def negative(image: Image.Image) -> Image.Image:
    """The exact inversion of the colours, made as plainly as possible."""
    if image.mode != "RGBA":
        return image.point(lambda value: 255 - value)
    *colours, alpha = image.split()
    return Image.merge("RGBA", [*(band.point(lambda value: 255 - value) for band in colours), alpha])


def changed_rows(made: Image.Image, source: Image.Image) -> tuple[int, int]:
    """The first and last row in which a picture is not the inversion of its source."""
    difference = ImageChops.difference(made, negative(source))
    boxes = [box for band in difference.split() if (box := band.getbbox())]
    return min(box[1] for box in boxes), max(box[3] for box in boxes)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
@pytest.mark.parametrize("size", [(640, 480), (300, 700), (1000, 333), (257, 257)])
def test_pixels_outside_the_watermark_are_the_exact_inversion(mode: str, size: tuple[int, int]) -> None:
    source = noise(*size).convert(mode)
    if mode == "RGBA":
        source.putalpha(Image.effect_noise(size, 90))

    made = fallen_back(source)

    assert (made.mode, made.size) == (mode, size)
    first, last = changed_rows(made, source)
    assert last == source.height
    assert source.height * (1 - MAX_SHARE) <= first


def test_jpeg_is_inverted_as_it_decodes() -> None:
    body = saved(noise(200, 200), "JPEG")
    with Image.open(io.BytesIO(body)) as source:
        source.load()
        made = Image.open(io.BytesIO(invert(body, TEXT, MAX_PIXELS)))
        assert changed_rows(made, source)[0] >= 200 * (1 - MAX_SHARE)


def test_what_was_transparent_stays_so() -> None:
    made = fallen_back(see_through())
    assert [made.getpixel(place)[3] for place in [(0, 0), (47, 0)]] == [0, 255]  # type: ignore[index]

    by_colour = fallen_back(scene(), transparency=(220, 30, 30))
    assert by_colour.getpixel((0, 0)) == (35, 225, 225, 0)


@pytest.mark.parametrize("depth", [2, 4, 8])
def test_a_colour_key_is_read_at_the_depth_that_the_file_has(depth: int) -> None:
    made = Image.open(io.BytesIO(invert(colour_key(depth, 0), TEXT, MAX_PIXELS)))

    assert [made.getpixel(place)[3] for place in [(0, 0), (47, 0)]] == [0, 255]  # type: ignore[index]


def test_the_watermark_is_opaque_enough_on_a_transparent_picture() -> None:
    made = fallen_back(Image.new("RGBA", (400, 300), (0, 0, 0, 0)))

    assert min(made.getchannel("A").crop((0, 290, 400, 300)).tobytes()) >= 170


@pytest.mark.parametrize("size", [(512, 512), (2048, 1536), (1536, 2048), (3000, 2000)])
def test_the_watermark_is_legible_on_a_thumbnail(size: tuple[int, int]) -> None:
    """On a 300-pixel thumbnail its capitals are 8 pixels tall or more, white on dark."""
    thumbnail = fallen_back(Image.new("RGB", size, (128, 128, 128)))
    thumbnail.thumbnail((300, 300), Image.Resampling.LANCZOS)

    bright = thumbnail.convert("L").point(lambda value: 255 * (value > 200), "1").getbbox()
    assert bright is not None
    left, top, right, bottom = bright
    lines = round((bottom - top) / 17) or 1
    assert (bottom - top) / lines >= 8
    assert (right - left) / thumbnail.width > 0.5
    assert thumbnail.height - top < thumbnail.height * MAX_SHARE
    assert min(thumbnail.convert("L").crop((0, top, thumbnail.width, bottom)).tobytes()) < 60


def test_the_text_is_configurable_and_its_words_stay_whole() -> None:
    blank = Image.new("RGB", (600, 400), "teal")

    assert fallen_back(blank, text="Out of budget").tobytes() != fallen_back(blank).tobytes()
    assert fallen_back(blank, text="Donaudampfschifffahrtsgesellschaft " * 8).size == (600, 400)
    assert fallen_back(blank, text="Limite de facturation dépassée").size == (600, 400)


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (16, 16)])
def test_a_picture_too_small_for_letters_is_inverted_all_the_same(size: tuple[int, int]) -> None:
    source = Image.new("RGB", size, (10, 20, 30))

    assert fallen_back(source).getpixel((0, 0)) == (245, 235, 225)


def test_the_colour_profile_goes_along() -> None:
    made = fallen_back(scene(), icc_profile=exchanged_profile())

    assert made.info["icc_profile"] == exchanged_profile()


@pytest.mark.parametrize(
    "text", ["Été à l'œuvre, ça déçoit", "Größe über Łódź, Ťažký", "Ελληνικά άέή", "Кириллица: щёлк, їжак"]
)
def test_the_letters_of_latin_greek_and_cyrillic_are_shown(text: str) -> None:
    box = font(40).getmask("\uffff").getbbox(), bytes(font(40).getmask("\uffff"))

    for letter in set(text) - {" "}:
        shape = font(40).getmask(letter)
        assert (shape.getbbox(), bytes(shape)) != box, letter
    assert fallen_back(scene(), text=text).size == scene().size
