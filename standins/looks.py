"""What the stand-ins' edits look like: a light and a medium, as the prompt names them, or else a colour.

Plain Pillow on pictures of up to some 640 pixels a side, tens of milliseconds each, and the same each time.
"""

import colorsys
import hashlib
import re
from collections.abc import Callable
from functools import cache
from math import exp, log
from random import Random

from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter, ImageOps

type Look = Callable[[Image.Image], Image.Image]

_HUES = {"gold": 0.11, "green": 0.36, "blue": 0.6, "purple": 0.77, "pink": 0.92, "orange": 0.07, "red": 0.0}
_WHITE = (255, 255, 255)


def repainted(image: Image.Image, prompt: str) -> Image.Image:
    """Repaint an RGB picture as the prompt asks: first the light that it names, then the medium."""
    looks = [look for kind in (_LIGHTS, _MEDIA) if (look := _named(prompt, kind))]
    if not looks:
        return _toned(image, prompt)
    for look in looks:
        image = look(image)
    return image


def _named(prompt: str, looks: dict[str, Look]) -> Look | None:
    """The look that the prompt names first, if it names one."""
    found = ((re.search(rf"\b(?:{words})", prompt, re.IGNORECASE), look) for words, look in looks.items())
    places = [(match.start(), look) for match, look in found if match]
    return min(places, key=lambda place: place[0])[1] if places else None


def colour_of(prompt: str, value: float) -> tuple[int, int, int]:
    """A colour of the hue that the prompt names, or else of one that is the prompt's own."""
    named = [hue for name, hue in _HUES.items() if name in prompt.lower()]
    hue = named[0] if named else hashlib.sha256(prompt.encode()).digest()[0] / 256
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.5 if value > 0.5 else 0.85, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def _toned(image: Image.Image, prompt: str) -> Image.Image:
    grey = ImageOps.autocontrast(image.convert("L"))
    toned = ImageOps.colorize(grey, black=colour_of(prompt, 0.22), white=colour_of(prompt, 1.0))
    return ImageChops.blend(image, toned, 0.72)


def _winter(image: Image.Image) -> Image.Image:
    """Cold light, snow on what is dark below, and flakes in the air."""
    grey = ImageOps.autocontrast(image.convert("L"), cutoff=1)
    cold = ImageOps.colorize(grey, (38, 58, 92), (250, 252, 255), (150, 178, 208))
    image = ImageChops.blend(ImageEnhance.Color(image).enhance(0.5), cold, 0.72)
    # Snow lies where a surface is darker than what is right above it, and the more of it the nearer it is.
    smooth = grey.filter(ImageFilter.GaussianBlur(1.5))
    above = ImageChops.offset(smooth, 0, max(1, image.height // 50))
    edge = ImageChops.subtract(above, smooth, offset=-10).point(lambda v: min(230, v * 7))
    edge.paste(0, (0, 0, image.width, image.height // 25))
    ground = Image.linear_gradient("L").resize(image.size).point(lambda v: max(0, v - 120))
    image.paste(_WHITE, mask=ImageChops.lighter(edge, ground))
    flakes = Image.new("L", image.size)
    pen, random = ImageDraw.Draw(flakes), Random(7)
    for _ in range(260):
        x, y, drawn = random.uniform(0, image.width), random.uniform(0, image.height), random.choice((1, 1, 2, 3))
        size = drawn * image.width / 640
        pen.ellipse((x - size, y - size, x + size, y + size), 255 if drawn > 1 else 190)
    image.paste(_WHITE, mask=flakes.filter(ImageFilter.GaussianBlur(0.8)))
    return image


def _night(image: Image.Image) -> Image.Image:
    """Blue darkness, a moon with its glow, and stars above."""
    grey = image.convert("L")
    dark = ImageOps.colorize(grey, (4, 8, 24), (150, 182, 232), (26, 44, 92))
    # The lamps are what shines in a warm colour already.
    image = ImageChops.blend(ImageEnhance.Brightness(image).enhance(0.35), dark, 0.68)
    width, height = image.size
    light, random = Image.new("L", image.size), Random(11)
    pen = ImageDraw.Draw(light)
    for _ in range(130):
        x, y = random.uniform(0, width), height * 0.55 * random.random() ** 1.4
        size = random.choice((0.4, 0.5, 0.8, 1.3)) * width / 640
        pen.ellipse((x - size, y - size, x + size, y + size), random.randint(110, 255))
    x, y, radius = width * 0.8, height * 0.18, min(image.size) * 0.062
    moon = (x - radius, y - radius, x + radius, y + radius)
    pen.ellipse([x - 1.8 * radius, y - 1.8 * radius, x + 1.8 * radius, y + 1.8 * radius], 0)
    glow = _glow(image.size, (x, y), min(image.size) * 0.62).point(lambda v: v * 2 // 5)
    pen.ellipse(moon, 255)
    image = ImageChops.screen(image, ImageOps.colorize(glow, (0, 0, 0), (170, 196, 240)))
    image.paste((246, 244, 226), mask=light.filter(ImageFilter.GaussianBlur(0.7)))
    return image


def _golden(image: Image.Image) -> Image.Image:
    """A low sun: violet shadows, golden lights, and its glow."""
    grey = ImageOps.autocontrast(image.convert("L"), cutoff=1)
    warm = ImageOps.colorize(grey, (52, 24, 46), (255, 236, 176), (222, 126, 44))
    image = ImageChops.blend(ImageEnhance.Color(image).enhance(1.1), warm, 0.66)
    sun = (image.width * 0.24, image.height * 0.3)
    glow = _glow(image.size, sun, max(image.size) * 0.6).point(lambda v: v * 3 // 4)
    return ImageChops.screen(image, ImageOps.colorize(glow, (0, 0, 0), (255, 190, 96)))


def _watercolour(image: Image.Image) -> Image.Image:
    """Washes that run together, darker at their edges, on rough paper."""
    wash = _filtered(image, 4, ImageFilter.ModeFilter(3))
    wash = ImageEnhance.Color(ImageEnhance.Brightness(wash).enhance(1.12)).enhance(1.3)
    edges = _edges(wash.convert("L")).filter(ImageFilter.GaussianBlur(1)).point(lambda v: 255 - min(120, v * 3))
    wash = ImageChops.multiply(wash, edges.convert("RGB"))
    blotches = _texture(image.size, 44, 150, 255).convert("RGB")
    grain = _texture(image.size, 2, 222, 255).convert("RGB")
    wash = ImageChops.multiply(ImageChops.blend(wash, ImageChops.screen(wash, blotches), 0.32), grain)
    margin = min(image.size) // 12
    inside = Image.new("L", image.size)
    ImageDraw.Draw(inside).rectangle((margin, margin, image.width - margin - 1, image.height - margin - 1), 255)
    ragged = ImageChops.add(_texture(image.size, 34, 0, 90), _texture(image.size, 7, 0, 60))
    torn = ImageChops.add(inside.filter(ImageFilter.GaussianBlur(margin / 2.4)), ragged, offset=-75)
    torn = torn.point(lambda v: max(0, min(255, (v - 118) * 9))).filter(ImageFilter.GaussianBlur(0.8))
    paper = ImageChops.multiply(Image.new("RGB", image.size, (252, 248, 238)), grain)
    paper.paste(wash, mask=torn)
    return paper


def _photograph(image: Image.Image) -> Image.Image:
    """Sepia, faded, grained, dark at the corners, with a white border."""
    grey = ImageOps.autocontrast(image.convert("L"), cutoff=1)
    grey = ImageChops.blend(grey.filter(ImageFilter.GaussianBlur(0.8)), _texture(image.size, 2, 40, 215), 0.14)
    sepia = ImageOps.colorize(grey, (50, 32, 20), (248, 232, 200), (150, 112, 76))
    corners = ImageOps.invert(Image.radial_gradient("L")).resize(image.size).point(lambda v: min(255, 80 + v * 3 // 2))
    sepia = ImageChops.multiply(sepia, corners.convert("RGB"))
    faded = _texture(image.size, 170, 0, 60)
    sepia.paste((232, 206, 160), mask=faded)
    border = max(2, min(image.size) // 22)
    for width, colour in ((border, (242, 234, 214)), (border // 8 + 1, (214, 200, 172))):
        box = (0, 0, image.width - 1, image.height - 1)
        ImageDraw.Draw(sepia).rectangle(box, outline=colour, width=width)
    return sepia


def _pencil(image: Image.Image) -> Image.Image:
    """Lines and hatching on paper, with a breath of the colours."""
    grey = ImageOps.autocontrast(image.convert("L"))
    blurred = ImageOps.invert(grey).filter(ImageFilter.GaussianBlur(max(2, image.width / 70)))
    lines = _dodged(grey, blurred).point([round(255 * (v / 255) ** 2.2) for v in range(256)])
    shade = ImageChops.lighter(grey.point(lambda v: min(255, 130 + v)), _texture(image.size, 2, 60, 255))
    drawing = ImageChops.multiply(lines, shade).convert("RGB")
    tint = ImageChops.blend(Image.new("RGB", image.size, (250, 247, 240)), image, 0.22)
    return ImageChops.multiply(drawing, tint)


def _comic(image: Image.Image) -> Image.Image:
    """Few flat colours, black outlines, dots in the half-dark."""
    flat = _filtered(image, 2, ImageFilter.MedianFilter(3))
    flat = ImageOps.posterize(ImageEnhance.Color(ImageOps.autocontrast(flat, cutoff=1)).enhance(1.7), 2)
    flat = ImageChops.screen(flat, Image.new("RGB", image.size, (30, 26, 44)))
    step = max(4, image.width // 100)
    dots = Image.new("L", (step, step), 255)
    ImageDraw.Draw(dots).ellipse((1, 1, step - 2, step - 2), 170)
    screen = Image.new("L", image.size, 255)
    for x in range(0, image.width, step):
        screen.paste(dots, (x, 0))
    row = screen.crop((0, 0, image.width, step))
    for y in range(step, image.height, step):
        screen.paste(row, (0, y))
    grey = image.convert("L")
    halves = ImageChops.lighter(screen, grey.point(lambda v: 0 if 70 < v < 150 else 255))
    outline = _edges(grey.filter(ImageFilter.GaussianBlur(1.2))).point(lambda v: 255 - min(255, v * 9))
    return ImageChops.multiply(flat, ImageChops.multiply(halves, outline).convert("RGB"))


def _neon(image: Image.Image) -> Image.Image:
    """Glowing outlines in the dark, cyan on the left and pink on the right."""
    edges = _edges(image.convert("L").filter(ImageFilter.GaussianBlur(1.5)))
    edges = ImageOps.autocontrast(edges, cutoff=(0, 1))
    glow = ImageChops.add(edges, edges.filter(ImageFilter.GaussianBlur(5)).point(lambda v: min(255, v * 2)))
    sides = Image.linear_gradient("L").rotate(90).resize(image.size)
    colours = ImageOps.colorize(sides, (255, 60, 190), (40, 230, 255))
    dark = ImageChops.multiply(image, Image.new("RGB", image.size, (58, 34, 92)))
    return ImageChops.screen(dark, ImageChops.multiply(colours, glow.convert("RGB")))


def _dodged(base: Image.Image, blend: Image.Image) -> Image.Image:
    """Brighten `base` by `blend`, as the mode "colour dodge" of painting programs does."""
    # base / (1 - blend), by logarithms: a table for each and a difference between them.
    logs = [round(46 * log(max(1, v))) for v in range(256)]
    quotient = ImageChops.subtract(base.point(logs), ImageOps.invert(blend).point(logs), offset=255)
    return quotient.point([round(255 * exp((v - 255) / 46)) for v in range(256)])


def _filtered(image: Image.Image, times: int, how: ImageFilter.Filter) -> Image.Image:
    """Filter a picture so many times smaller: these filters take time by the pixel."""
    small = image.resize((max(1, image.width // times), max(1, image.height // times)), Image.Resampling.BOX)
    return small.filter(how).resize(image.size, Image.Resampling.BICUBIC)


def _edges(grey: Image.Image) -> Image.Image:
    """Find edges; the filter leaves the pixels at the border as they are."""
    found = grey.filter(ImageFilter.FIND_EDGES)
    ImageDraw.Draw(found).rectangle((0, 0, found.width - 1, found.height - 1), outline=0, width=1)
    return found


def _glow(size: tuple[int, int], centre: tuple[float, float], radius: float) -> Image.Image:
    """Light around a point that is gone at `radius`."""
    light = Image.new("L", size)
    disc = ImageOps.invert(Image.radial_gradient("L")).point(lambda v: v * v // 255)
    side = max(2, round(radius * 2))
    light.paste(disc.resize((side, side)), (round(centre[0] - radius), round(centre[1] - radius)))
    return light


@cache
def _noise(width: int, height: int) -> Image.Image:
    return Image.frombytes("L", (width, height), Random(width * height).randbytes(width * height))


def _texture(size: tuple[int, int], grain: int, low: int, high: int) -> Image.Image:
    """Irregular shades between `low` and `high`, in grains of so many pixels."""
    noise = _noise(max(2, size[0] // grain), max(2, size[1] // grain)).resize(size, Image.Resampling.BICUBIC)
    return noise.point(lambda v: low + v * (high - low) // 255)


# The beginnings of words, by the look that they ask for.
_LIGHTS: dict[str, Look] = {
    "winter|snow|ice|icy|frost|cold|christmas": _winter,
    "night|moon|midnight|star|dark": _night,
    "gold|sunset|sunrise|evening|autumn|warm|dusk": _golden,
    "neon|cyber|synthwave": _neon,
}
_MEDIA: dict[str, Look] = {
    "watercolou?r|aquarell|paint|oil": _watercolour,
    "old photo|old picture|photograph|sepia|vintage|antique|nostalgi": _photograph,
    "sketch|pencil|drawing|charcoal|engraving": _pencil,
    "comic|cartoon|pop art|poster|manga": _comic,
}
