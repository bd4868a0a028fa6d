"""The demo's contact sheet: each picture before and after, and what became of it."""

from io import BytesIO
from textwrap import wrap

from PIL import Image, ImageDraw, ImageOps

from demo.outcomes import Outcome
from functions.process_image.fonts import font

type Colour = tuple[int, int, int]

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


def draw(title: str, subtitle: str, outcomes: list[Outcome]) -> Image.Image:
    """Draw the sheet: two pictures a card, two cards a row."""
    column, row = _CARD_SIZE[0] + _MARGIN, _CARD_SIZE[1] + _MARGIN
    size = (_MARGIN + _COLUMNS * column, _HEAD + -(-len(outcomes) // _COLUMNS) * row)
    sheet = Image.new("RGB", size, _PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((_MARGIN, 34), title, _INK, font(38))
    pen.text((_MARGIN, 84), subtitle, _FAINT, font(21))
    for index, outcome in enumerate(outcomes):
        sheet.paste(_card(outcome), (_MARGIN + index % _COLUMNS * column, _HEAD + index // _COLUMNS * row))
    return sheet


def _card(outcome: Outcome) -> Image.Image:
    card = Image.new("RGB", _CARD_SIZE, _PAPER)
    pen = ImageDraw.Draw(card)
    pen.rounded_rectangle((0, 0, _CARD_SIZE[0] - 1, _CARD_SIZE[1] - 1), 14, _CARD)
    first, second = _PADDING, _PADDING + _PICTURE[0] + _GAP
    card.paste(_picture(outcome.before or "This file is not an image."), (first, _PADDING))
    card.paste(_picture(outcome.after or outcome.note or "There is no result."), (second, _PADDING))
    colour = _BADGES[outcome.kind]
    x, y = second - _GAP // 2, _PADDING + _PICTURE[1] // 2
    pen.line((x - 12, y, x + 4, y), colour, 4)
    pen.polygon([(x + 2, y - 9), (x + 14, y), (x + 2, y + 9)], colour)
    line = _PADDING + _PICTURE[1] + 16
    pen.text((first, line), outcome.name, _INK, font(22))
    pen.text((first, line + 30), outcome.job, _FAINT, font(17))
    badge, letters = outcome.kind.upper(), font(16)
    width = int(pen.textlength(badge, letters)) + 22
    pen.rounded_rectangle((second, line, second + width, line + 26), 13, colour)
    pen.text((second + width // 2, line + 13), badge, _CARD, letters, anchor="mm")
    if outcome.after:
        details = f"{outcome.seconds:.1f} s  ·  {outcome.sizes} KB"
        details += "  ·  billing limit" if outcome.kind == "fallback" else ""
        pen.text((second, line + 32), details, _FAINT, font(17))
    return card


def _picture(content: bytes | str) -> Image.Image:
    """A picture, whole; where there is none, the text that says why."""
    if isinstance(content, bytes):
        with Image.open(BytesIO(content)) as opened:
            return ImageOps.pad(ImageOps.exif_transpose(opened).convert("RGB"), _PICTURE, color=_EMPTY)
    picture = Image.new("RGB", _PICTURE, _EMPTY)
    middle, text = (_PICTURE[0] // 2, _PICTURE[1] // 2), "\n".join(wrap(content, 36)[:8])
    ImageDraw.Draw(picture).text(middle, text, _FAINT, font(18), anchor="mm", align="center")
    return picture
