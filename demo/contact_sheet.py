"""The demo's contact sheet: each picture before and after, and what became of it."""

from dataclasses import dataclass
from io import BytesIO
from textwrap import wrap
from typing import Literal

from PIL import Image, ImageDraw, ImageFont, ImageOps

type Colour = tuple[int, int, int]
type Box = tuple[int, int, int, int]

_PAPER: Colour = (244, 242, 238)
_CARD: Colour = (255, 255, 255)
_INK: Colour = (32, 34, 42)
_FAINT: Colour = (118, 122, 132)
_EMPTY: Colour = (232, 229, 224)
_BADGES: dict[str, Colour] = {"edited": (34, 124, 86), "fallback": (186, 106, 12), "failed": (176, 44, 48)}

_COLUMNS = 2
_PICTURE = (372, 248)
_GAP = 44  # between the two pictures, for the arrow
_MARGIN = 36
_PADDING = 20
_FOOT = 66
_HEAD = 124
_CARD_SIZE = (_PICTURE[0] * 2 + _GAP + _PADDING * 2, _PICTURE[1] + _PADDING * 2 + _FOOT)


@dataclass(frozen=True)
class Entry:
    """One picture: its file name, its job, what became of it, and its bytes before and after, or why there are none."""

    name: str
    job: str
    outcome: Literal["edited", "fallback", "failed"]
    details: str
    before: bytes | str
    after: bytes | str


def draw(title: str, subtitle: str, entries: list[Entry]) -> Image.Image:
    """Draw the sheet: two pictures a card, two cards a row."""
    rows = -(-len(entries) // _COLUMNS)
    width = _COLUMNS * _CARD_SIZE[0] + (_COLUMNS + 1) * _MARGIN
    height = _HEAD + rows * (_CARD_SIZE[1] + _MARGIN)
    sheet = Image.new("RGB", (width, height), _PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((_MARGIN, 34), title, _INK, _font(38))
    pen.text((_MARGIN, 84), subtitle, _FAINT, _font(21))
    for index, entry in enumerate(entries):
        row, column = divmod(index, _COLUMNS)
        left = _MARGIN + column * (_CARD_SIZE[0] + _MARGIN)
        _draw_card(sheet, (left, _HEAD + row * (_CARD_SIZE[1] + _MARGIN)), entry)
    return sheet


def _draw_card(sheet: Image.Image, corner: tuple[int, int], entry: Entry) -> None:
    left, top = corner
    pen = ImageDraw.Draw(sheet)
    pen.rounded_rectangle((left, top, left + _CARD_SIZE[0], top + _CARD_SIZE[1]), 14, _CARD)
    first, second = left + _PADDING, left + _PADDING + _PICTURE[0] + _GAP
    colour = _BADGES[entry.outcome]
    _place(sheet, (first, top + _PADDING), entry.before)
    _place(sheet, (second, top + _PADDING), entry.after)
    _draw_arrow(pen, (second - _GAP // 2, top + _PADDING + _PICTURE[1] // 2), colour)
    line = top + _PADDING + _PICTURE[1] + 16
    pen.text((first, line), entry.name, _INK, _font(22))
    pen.text((first, line + 30), entry.job, _FAINT, _font(17))
    _draw_badge(pen, (second, line), entry.outcome.upper(), colour)
    room = _PICTURE[0]
    pen.text((second, line + 32), _shortened(pen, entry.details, _font(17), room), _FAINT, _font(17))


def _place(sheet: Image.Image, corner: tuple[int, int], content: bytes | str) -> None:
    """Put a picture into its place, whole; where there is none, say why."""
    box: Box = (*corner, corner[0] + _PICTURE[0], corner[1] + _PICTURE[1])
    pen = ImageDraw.Draw(sheet)
    pen.rectangle(box, _EMPTY)
    if isinstance(content, str):
        middle = ((box[0] + box[2]) // 2, (box[1] + box[3]) // 2)
        pen.text(middle, "\n".join(wrap(content, 36)[:8]), _FAINT, _font(18), anchor="mm", align="center")
        return
    with Image.open(BytesIO(content)) as opened:
        picture = ImageOps.contain(ImageOps.exif_transpose(opened).convert("RGBA"), _PICTURE)
    at = (corner[0] + (_PICTURE[0] - picture.width) // 2, corner[1] + (_PICTURE[1] - picture.height) // 2)
    sheet.paste(picture, at, picture)


def _draw_arrow(pen: ImageDraw.ImageDraw, centre: tuple[int, int], colour: Colour) -> None:
    x, y = centre
    pen.line((x - 12, y, x + 4, y), colour, 4)
    pen.polygon([(x + 2, y - 9), (x + 14, y), (x + 2, y + 9)], colour)


def _draw_badge(pen: ImageDraw.ImageDraw, corner: tuple[int, int], text: str, colour: Colour) -> None:
    font = _font(16)
    width = int(pen.textlength(text, font)) + 22
    pen.rounded_rectangle((corner[0], corner[1], corner[0] + width, corner[1] + 26), 13, colour)
    pen.text((corner[0] + width // 2, corner[1] + 13), text, (255, 255, 255), font, anchor="mm")


def _shortened(pen: ImageDraw.ImageDraw, text: str, font: ImageFont.FreeTypeFont, room: int) -> str:
    if pen.textlength(text, font) <= room:
        return text
    while text and pen.textlength(f"{text}…", font) > room:
        text = text[:-1]
    return f"{text.rstrip()}…"


def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise RuntimeError("this Pillow has no scalable font: install a wheel of Pillow 10.1 or later")
    return font
