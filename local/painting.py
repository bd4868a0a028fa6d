"""What landscapes are painted with: skies, glow, ridges and a camera's grain."""

import random
from functools import lru_cache
from itertools import pairwise

from PIL import Image, ImageChops, ImageDraw, ImageFilter

type Colour = tuple[int, int, int]

SIZE = (960, 640)
WIDTH, HEIGHT = SIZE


def sky(top: Colour, bottom: Colour) -> Image.Image:
    """Paint a gradient from the top to the bottom."""
    mask = Image.linear_gradient("L").resize(SIZE)
    return Image.composite(Image.new("RGB", SIZE, bottom), Image.new("RGB", SIZE, top), mask)


def glow(image: Image.Image, centre: tuple[int, int], radius: int, colour: Colour, strength: float) -> Image.Image:
    """Light a picture up around a point; returns a new one."""
    mask = Image.new("L", SIZE)
    fading = _light_spot().point(lambda value: int((value / 255) ** 1.7 * 255 * strength))
    mask.paste(fading.resize((radius * 2, radius * 2)), (centre[0] - radius, centre[1] - radius))
    return Image.composite(Image.new("RGB", image.size, colour), image, mask)


@lru_cache
def _light_spot() -> Image.Image:
    """White in the middle, black from the edge of the circle on; Pillow's gradient ends in the square's corners."""
    return Image.radial_gradient("L").point(lambda value: max(0, 255 - round(value * 1.42)))


@lru_cache
def _grain() -> Image.Image:
    return Image.effect_noise(SIZE, 18).convert("RGB")


@lru_cache
def _corners() -> Image.Image:
    darkness = Image.radial_gradient("L").point(lambda value: 255 - int(max(0, value - 110) * 0.75))
    return darkness.resize(SIZE).convert("RGB")


def disc(image: Image.Image, centre: tuple[int, int], radius: int, colour: Colour) -> None:
    """Paint a soft-edged disc."""
    mask = Image.new("L", image.size)
    box = (centre[0] - radius, centre[1] - radius, centre[0] + radius, centre[1] + radius)
    ImageDraw.Draw(mask).ellipse(box, 255)
    image.paste(colour, (0, 0), mask.filter(ImageFilter.GaussianBlur(2)))


def ridge(
    image: Image.Image,
    draw: random.Random,
    base: int,
    height: int,
    colour: Colour,
    *,
    roughness: float,
    right: int = WIDTH,
) -> None:
    """Fill everything below a line of hills, made by midpoint displacement."""
    points, spread = [draw.uniform(-1, 1), draw.uniform(-1, 1)], 1.0
    while len(points) < 257:
        between = [(a + b) / 2 + draw.uniform(-spread, spread) for a, b in pairwise(points)]
        points = [value for pair in zip(points, between, strict=False) for value in pair] + points[-1:]
        spread *= roughness
    step = right / (len(points) - 1)
    slope = [(index * step, base - value * height / 2) for index, value in enumerate(points)]
    if right < WIDTH:  # a headland: it runs out into the sea
        slope = [(x, y + (x / right) ** 5 * (HEIGHT - base + height)) for x, y in slope]
    mask = Image.new("L", image.size)
    ImageDraw.Draw(mask).polygon([(0, HEIGHT), *slope, (right, HEIGHT)], 255)
    image.paste(colour, (0, 0), mask.filter(ImageFilter.GaussianBlur(0.8)))


def finished(image: Image.Image) -> Image.Image:
    """Add what a camera adds: grain, and corners a little darker."""
    return ImageChops.multiply(Image.blend(image, ImageChops.overlay(image, _grain()), 0.55), _corners())
