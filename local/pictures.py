"""The demo's pictures, drawn when it runs: small landscapes of gradients, ridges, glow and grain."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

from PIL import Image, ImageChops, ImageDraw, ImageFilter
from PIL.PngImagePlugin import PngInfo

from local.painting import HEIGHT, SIZE, WIDTH, Colour, disc, finished, glow, ridge, sky


@dataclass(frozen=True)
class Picture:
    """A file for the input bucket."""

    name: str
    content: bytes
    content_type: str


def photographs() -> list[Picture]:
    """Draw the landscapes, each in a format of its own."""
    return [
        _saved("alps-at-dawn.jpg", alps()),
        _saved("harbour/sunset.png", sunset()),
        _saved("harbour/lighthouse.webp", lighthouse()),
        _saved("desert-noon.jpg", desert()),
        _saved("northern-lights.png", aurora()),
        _saved("city-by-night.jpg", city()),
        _saved("meadow.webp", meadow()),
        _saved("pines-by-moonlight.jpg", pines()),
    ]


def at_the_billing_limit() -> Picture:
    """Draw a picture for which the OpenAI stand-in answers that the billing limit is reached."""
    return _saved("balloons.png", balloons(), fault="billing_hard_limit")


def no_image() -> Picture:
    """A file that bears an image's name and is none."""
    return Picture("shopping-list.png", b"bread, olives, a kilo of apples\n" * 8, "image/png")


def alps() -> Image.Image:
    """Snow mountains, one range behind the other in the morning mist."""
    draw = random.Random(7)
    image = glow(sky((116, 146, 196), (252, 214, 178)), (690, 250), 520, (255, 206, 140), 0.85)
    ranges: list[tuple[int, int, Colour]] = [
        (330, 190, (150, 158, 190)),
        (400, 150, (108, 122, 164)),
        (470, 120, (70, 88, 132)),
        (560, 80, (34, 50, 84)),
    ]
    for base, height, colour in ranges:
        ridge(image, draw, base, height, colour, roughness=0.56)
        image = glow(image, (480, base + 90), 620, (255, 226, 204), 0.16)
    return finished(image)


def sunset() -> Image.Image:
    """The sun going down over the sea."""
    draw = random.Random(3)
    image = glow(sky((70, 52, 118), (255, 158, 92)), (480, 390), 640, (255, 196, 98), 0.95)
    disc(image, (480, 380), 58, (255, 242, 206))
    sea = sky((255, 150, 88), (28, 32, 74)).resize((WIDTH, 240))
    image.paste(sea, (0, 400))
    glitter = Image.new("RGB", SIZE)
    pen = ImageDraw.Draw(glitter)
    for _ in range(420):
        y = draw.randint(402, 636)
        spread = 30 + (y - 400) * 0.9
        x, length = draw.gauss(480, spread), draw.randint(6, 30 + (y - 400) // 5)
        pen.line((x - length, y, x + length, y), (255, 206, 140), 2)
    image = ImageChops.screen(image, glitter.filter(ImageFilter.GaussianBlur(1.2)))
    ridge(image, draw, 408, 46, (44, 34, 76), roughness=0.5, right=430)
    return finished(image)


def lighthouse() -> Image.Image:
    """A lighthouse on a cape, its beam in the dusk."""
    draw = random.Random(12)
    image = glow(sky((26, 34, 82), (214, 146, 158)), (760, 470), 560, (255, 190, 150), 0.6)
    sea = sky((122, 104, 146), (22, 28, 66)).resize((WIDTH, 170))
    image.paste(sea, (0, 470))
    ridge(image, draw, 500, 70, (32, 32, 58), roughness=0.45, right=520)
    beam = Image.new("RGB", SIZE)
    ImageDraw.Draw(beam).polygon([(286, 224), (960, 40), (960, 250)], (150, 136, 96))
    image = ImageChops.screen(image, beam.filter(ImageFilter.GaussianBlur(16)))
    pen = ImageDraw.Draw(image)
    for index in range(7):
        top, bottom = 250 + index * 32, 282 + index * 32
        colour = (214, 72, 66) if index % 2 else (240, 232, 226)
        pen.polygon(
            [(272 - index * 2, top), (300 + index * 2, top), (302 + index * 2, bottom), (270 - index * 2, bottom)],
            colour,
        )
    pen.rectangle((266, 210, 306, 250), (60, 56, 80))
    pen.polygon([(262, 210), (286, 184), (310, 210)], (168, 52, 52))
    image = glow(image, (286, 230), 120, (255, 240, 190), 0.95)
    return finished(image)


def desert() -> Image.Image:
    """Dunes under the noon sun."""
    draw = random.Random(21)
    image = glow(sky((92, 160, 214), (246, 226, 190)), (210, 120), 320, (255, 252, 232), 0.95)
    for base, height, light, dark in [
        (400, 60, (232, 184, 124), (204, 150, 96)),
        (470, 80, (222, 164, 98), (180, 118, 70)),
        (560, 90, (206, 140, 76), (138, 84, 48)),
    ]:
        ridge(image, draw, base, height, light, roughness=0.32)
        ridge(image, draw, base + 52, height, dark, roughness=0.3)
    return finished(image)


def aurora() -> Image.Image:
    """Northern lights above a frozen lake."""
    draw = random.Random(5)
    image = sky((6, 10, 34), (20, 44, 72))
    pen = ImageDraw.Draw(image)
    for _ in range(220):
        pen.point((draw.randrange(WIDTH), draw.randrange(420)), (220, 226, 255))
    for colour, start, strength in [
        ((60, 236, 150), 330, 0.85),
        ((60, 140, 200), 230, 0.5),
        ((190, 80, 200), 170, 0.45),
    ]:
        curtain, y, drift = Image.new("RGB", SIZE), float(start), 0.0
        ribbon = ImageDraw.Draw(curtain)
        for x in range(-20, WIDTH, 4):
            drift = drift * 0.97 + draw.uniform(-0.8, 0.8)
            y += drift
            ribbon.line((x, y, x + 20, y - draw.randint(60, 200)), colour, 3)
        soft = curtain.filter(ImageFilter.BoxBlur(9))
        image = ImageChops.screen(image, Image.blend(Image.new("RGB", SIZE), soft, strength))
    ridge(image, draw, 430, 130, (8, 14, 30), roughness=0.55)
    lake = image.crop((0, 240, WIDTH, 440)).transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    image.paste(ImageChops.multiply(lake, Image.new("RGB", lake.size, (150, 170, 200))), (0, 440))
    return finished(image)


def city() -> Image.Image:
    """A skyline at night with its lights out of focus."""
    draw = random.Random(9)
    image = glow(sky((18, 16, 46), (120, 60, 96)), (480, 470), 560, (240, 140, 110), 0.55)
    pen = ImageDraw.Draw(image)
    x = -10
    while x < WIDTH:
        width, top = draw.randint(46, 96), draw.randint(190, 400)
        shade = draw.randint(14, 34)
        pen.rectangle((x, top, x + width, HEIGHT), (shade, shade, shade + 22))
        for row in range(top + 12, 560, 18):
            for column in range(x + 8, x + width - 10, 15):
                if draw.random() < 0.42:
                    pen.rectangle(
                        (column, row, column + 6, row + 9),
                        draw.choice([(255, 214, 140), (255, 238, 196), (168, 206, 255)]),
                    )
        x += width + draw.randint(2, 8)
    lights = Image.new("RGB", SIZE)
    pen = ImageDraw.Draw(lights)
    for _ in range(46):
        centre = (draw.randrange(WIDTH), draw.randint(500, 640))
        radius = draw.randint(10, 34)
        colour = draw.choice([(190, 96, 40), (170, 120, 60), (60, 90, 150), (150, 40, 70)])
        pen.ellipse((centre[0] - radius, centre[1] - radius, centre[0] + radius, centre[1] + radius), colour)
    return finished(ImageChops.screen(image, lights.filter(ImageFilter.GaussianBlur(3))))


def meadow() -> Image.Image:
    """Poppies in a summer meadow."""
    draw = random.Random(17)
    image = glow(sky((112, 172, 226), (236, 244, 240)), (720, 150), 360, (255, 255, 240), 0.8)
    ridge(image, draw, 330, 70, (112, 150, 128), roughness=0.4)
    ridge(image, draw, 390, 50, (86, 140, 84), roughness=0.36)
    image.paste(sky((122, 172, 78), (44, 98, 44)).resize((WIDTH, 220)), (0, 420))
    pen = ImageDraw.Draw(image)
    for _ in range(1500):
        y = draw.randint(420, 639)
        x, height = draw.randrange(WIDTH), 4 + (y - 420) // 8
        green = draw.randint(90, 170)
        pen.line((x, y, x + draw.randint(-4, 4), y - height), (green // 2, green, 50))
    for _ in range(150):
        y = int(430 + 205 * draw.random() ** 0.7)
        x, radius = draw.randrange(WIDTH), 2 + (y - 420) // 18
        pen.ellipse(
            (x - radius, y - radius, x + radius, y + radius * 0.8),
            draw.choice([(222, 50, 44), (236, 78, 52), (198, 32, 48)]),
        )
        pen.ellipse((x - radius / 4, y - radius / 4, x + radius / 4, y + radius / 4), (50, 20, 28))
    return finished(image)


def pines() -> Image.Image:
    """Pines before a rising moon."""
    draw = random.Random(44)
    image = glow(sky((10, 20, 46), (84, 122, 150)), (330, 230), 380, (196, 214, 226), 0.8)
    disc(image, (330, 230), 74, (246, 244, 230))
    for x, y, radius in [(310, 212, 13), (352, 246, 18), (340, 200, 7), (302, 258, 9)]:
        disc(image, (x, y), radius, (222, 222, 214))
    ridge(image, draw, 470, 120, (52, 82, 108), roughness=0.45)
    pen = ImageDraw.Draw(image)
    for base, shade, size in [(520, (30, 54, 76), 90), (585, (16, 32, 50), 140), (660, (6, 14, 26), 210)]:
        for x in range(-20, WIDTH + 20, size // 4):
            _pine(pen, x + draw.randint(-12, 12), base, int(size * draw.uniform(0.55, 1.15)), shade)
        pen.rectangle((0, base, WIDTH, max(base, HEIGHT)), shade)
    return finished(image)


def _pine(pen: ImageDraw.ImageDraw, x: int, base: int, height: int, colour: Colour) -> None:
    for tier in range(5):
        top, half = base - height + tier * height * 0.17, height * (0.07 + tier * 0.035)
        pen.polygon([(x, top), (x - half, top + height * 0.34), (x + half, top + height * 0.34)], colour)


def balloons() -> Image.Image:
    """Hot-air balloons over a valley."""
    draw = random.Random(30)
    image = glow(sky((96, 160, 220), (255, 232, 204)), (480, 460), 560, (255, 220, 170), 0.7)
    for base, height, colour in [(450, 80, (148, 168, 178)), (520, 70, (98, 130, 126)), (590, 60, (56, 92, 84))]:
        ridge(image, draw, base, height, colour, roughness=0.42)
    for x, y, radius, stripes in [
        (300, 220, 104, [(226, 74, 62), (250, 196, 74)]),
        (640, 160, 66, [(66, 118, 190), (240, 240, 246)]),
        (790, 310, 44, [(120, 82, 168), (246, 160, 120)]),
        (500, 370, 30, [(60, 150, 120), (248, 226, 150)]),
    ]:
        _balloon(image, (x, y), radius, stripes)
    return finished(image)


def _balloon(image: Image.Image, centre: tuple[int, int], radius: int, stripes: list[Colour]) -> None:
    x, y = centre
    pen = ImageDraw.Draw(image)
    basket = y + round(radius * 1.75)
    for side in (-1, 1):
        pen.line((x + side * radius * 0.6, y + radius * 0.8, x + side * radius * 0.12, basket), (70, 60, 56), 2)
    for index in range(7, 0, -1):
        half = radius * index / 7
        pen.ellipse((x - half, y - radius, x + half, y + radius), stripes[index % 2])
    pen.polygon(
        [
            (x - radius * 0.86, y + radius * 0.5),
            (x + radius * 0.86, y + radius * 0.5),
            (x + radius * 0.2, y + radius * 1.35),
            (x - radius * 0.2, y + radius * 1.35),
        ],
        stripes[1],
    )
    pen.rectangle((x - radius * 0.17, basket, x + radius * 0.17, basket + radius * 0.24), (122, 82, 48))


def _saved(name: str, image: Image.Image, fault: str | None = None) -> Picture:
    save: dict[str, Callable[[BytesIO], None]] = {
        "jpg": lambda out: image.save(out, "JPEG", quality=88),
        "webp": lambda out: image.save(out, "WEBP", quality=86),
        "png": lambda out: image.save(out, "PNG", compress_level=3, pnginfo=_text(fault)),
    }
    ending = name.rpartition(".")[2]
    out = BytesIO()
    save[ending](out)
    return Picture(name, out.getvalue(), f"image/{'jpeg' if ending == 'jpg' else ending}")


def _text(fault: str | None) -> PngInfo:
    info = PngInfo()
    if fault:
        info.add_text("fault", fault)
    return info
