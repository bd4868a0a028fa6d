"""The stand-ins' edits look like edits of different kinds, as the prompt asks, and the same each time."""

from pathlib import Path

import pytest
from PIL import Image, ImageStat

from standins.looks import repainted

PICTURE = Path(__file__).parents[3] / "demo" / "pictures" / "meadow.webp"
PROMPTS = ["make it winter", "a starry night", "golden autumn", "neon", "watercolor", "an old photo", "sketch", "comic"]


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    with Image.open(PICTURE) as image:
        image.thumbnail((320, 320))
        return image.convert("RGB")


def mean(image: Image.Image) -> tuple[float, ...]:
    return tuple(ImageStat.Stat(image.resize((1, 1), Image.Resampling.BOX)).mean)


def test_each_kind_of_prompt_gives_a_look_of_its_own(photo: Image.Image) -> None:
    edits = {prompt: repainted(photo, prompt) for prompt in PROMPTS}

    assert len({edit.tobytes() for edit in (*edits.values(), photo)}) == len(PROMPTS) + 1
    assert all(edit.size == photo.size for edit in edits.values())
    assert all(repainted(photo, prompt).tobytes() == edit.tobytes() for prompt, edit in edits.items())
    brightness = {prompt: sum(mean(edit)) for prompt, edit in edits.items()}
    assert brightness["a starry night"] < 0.6 * sum(mean(photo)) < 0.6 * brightness["make it winter"]
    red, _, blue = mean(edits["golden autumn"])
    assert red > 1.3 * blue
    red, _, blue = mean(edits["make it winter"])
    assert blue > red


def test_a_light_and_a_medium_go_together_and_other_prompts_have_a_colour(photo: Image.Image) -> None:
    both = repainted(photo, "a golden watercolour")

    assert both.tobytes() not in (repainted(photo, one).tobytes() for one in ("golden", "a watercolour"))
    red, green, blue = mean(repainted(photo, "make it green"))
    assert green > max(red, blue)
    # A word within another one asks for nothing.
    assert repainted(photo, "twice the price").tobytes() != repainted(photo, "ice").tobytes()


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 2), (17, 33)])
def test_pictures_of_every_shape_are_repainted(size: tuple[int, int]) -> None:
    for prompt in PROMPTS:
        assert repainted(Image.new("RGB", size, "teal"), prompt).size == size
