"""The demo's contact sheet: each picture before and after, who edited it, and what became of it."""

import unicodedata
from io import BytesIO
from pathlib import Path
from textwrap import wrap

from PIL import Image, ImageDraw, ImageOps
from pillow_heif import register_heif_opener

from demo.outcomes import Outcome
from functions.process_image.fonts import font

register_heif_opener()

type Colour = tuple[int, int, int]

_PAPER: Colour = (244, 242, 238)
_CARD: Colour = (255, 255, 255)
_EDGE: Colour = (230, 226, 219)
_INK: Colour = (32, 34, 42)
_FAINT: Colour = (104, 108, 118)
_EMPTY: Colour = (236, 233, 228)
_BADGES: dict[str, Colour] = {"edited": (34, 124, 86), "fallback": (176, 98, 8), "failed": (176, 44, 48)}

_COLUMNS = 2
_PICTURE = (372, 248)
_GAP = 44  # between the two pictures, for the arrow
_MARGIN = 36
_PADDING = 20
_FOOT = 72
_HEAD = 128
_CARD_SIZE = (_PICTURE[0] * 2 + _GAP + _PADDING * 2, _PICTURE[1] + _PADDING * 2 + _FOOT)


def draw(title: str, subtitle: str, outcomes: list[Outcome]) -> Image.Image:
    """Draw the sheet: two pictures a card, two cards a row."""
    column, row = _CARD_SIZE[0] + _MARGIN, _CARD_SIZE[1] + _MARGIN
    size = (_MARGIN + _COLUMNS * column, _HEAD + -(-len(outcomes) // _COLUMNS) * row)
    sheet = Image.new("RGB", size, _PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((_MARGIN, 32), title, _INK, font(38))
    pen.text((_MARGIN, 84), _fitting(subtitle, 21, size[0] - 2 * _MARGIN), _FAINT, font(21))
    for index, outcome in enumerate(outcomes):
        sheet.paste(_card(outcome), (_MARGIN + index % _COLUMNS * column, _HEAD + index // _COLUMNS * row))
    return sheet


def _card(outcome: Outcome) -> Image.Image:
    card = Image.new("RGB", _CARD_SIZE, _PAPER)
    pen = ImageDraw.Draw(card)
    pen.rounded_rectangle((0, 0, _CARD_SIZE[0] - 1, _CARD_SIZE[1] - 1), 16, _CARD, _EDGE)
    first, second = _PADDING, _PADDING + _PICTURE[0] + _GAP
    _place(card, _picture(outcome.before), first)
    _place(card, _picture(outcome.after or outcome.error or "There is no result."), second)
    colour = _BADGES[outcome.kind]
    x, y = second - _GAP // 2, _PADDING + _PICTURE[1] // 2
    pen.line((x - 12, y, x + 4, y), colour, 4)
    pen.polygon([(x + 2, y - 9), (x + 14, y), (x + 2, y + 9)], colour)
    line = _PADDING + _PICTURE[1] + 18
    pen.text((first, line - 1), _fitting(outcome.name, 22, _PICTURE[0]), _INK, font(22))
    pen.text((first, line + 33), _fitting(f"{outcome.job}: “{outcome.prompt}”", 16, _PICTURE[0]), _FAINT, font(16))
    badge, letters = outcome.kind.upper(), font(15)
    width = int(pen.textlength(badge, letters)) + 24
    pen.rounded_rectangle((second, line, second + width, line + 26), 13, colour)
    pen.text((second + width // 2, line + 13), badge, _CARD, letters, anchor="mm")
    beside = second + width + 12
    pen.text((beside, line + 13), _label(outcome), _INK, font(18), anchor="lm")
    pen.text((second, line + 33), _fitting(_details(outcome), 16, _PICTURE[0]), _FAINT, font(16))
    return card


def _label(outcome: Outcome) -> str:
    """Who made the edit."""
    return {"fallback": "local, at the billing limit", "failed": ""}.get(outcome.kind, outcome.maker)


def _details(outcome: Outcome) -> str:
    """The model by a short name (the table has the whole one), the cost and the time."""
    if outcome.kind == "failed":
        return "no result"
    model = outcome.model.removeprefix("stability.stable-image-").partition(":")[0]
    facts = (model, outcome.cost, f"{outcome.seconds:.1f} s")
    return "  ·  ".join(fact for fact in facts if fact)


def _fitting(text: str, size: int, width: int) -> str:
    """A text as it fits: its middle goes where it is too long. Letters and their accents are composed."""
    text, letters = unicodedata.normalize("NFC", text), font(size)
    if letters.getlength(text) <= width:
        return text
    kept = len(text) - 1
    while kept > 2 and letters.getlength(f"{text[: kept - kept // 2]}…{text[-(kept // 2) :]}") > width:
        kept -= 1
    return f"{text[: kept - kept // 2]}…{text[-(kept // 2) :]}"


def _place(card: Image.Image, picture: Image.Image, x: int) -> None:
    corners = Image.new("L", picture.size)
    ImageDraw.Draw(corners).rounded_rectangle((0, 0, picture.width - 1, picture.height - 1), 8, 255)
    card.paste(picture, (x, _PADDING), corners)


def _picture(content: bytes | Path | str) -> Image.Image:
    """A picture, whole; where there is none, the text that says why."""
    if not isinstance(content, str):
        try:
            with Image.open(BytesIO(content) if isinstance(content, bytes) else content) as opened:
                opened.draft("RGB", (_PICTURE[0] * 2, _PICTURE[1] * 2))
                whole = ImageOps.exif_transpose(opened).convert("RGB")
                return ImageOps.pad(whole, _PICTURE, color=_EMPTY)
        except (OSError, ValueError, Image.DecompressionBombError):
            content = "This file is not an image that can be shown."
    picture = Image.new("RGB", _PICTURE, _EMPTY)
    middle, text = (_PICTURE[0] // 2, _PICTURE[1] // 2), "\n".join(wrap(content, 36)[:8])
    ImageDraw.Draw(picture).text(middle, text, _FAINT, font(18), anchor="mm", align="center")
    return picture
