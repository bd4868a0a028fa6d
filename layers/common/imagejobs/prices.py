"""What models cost, by `prices.json`: of an edit that was made, and of one that is to be made, as an estimate.

Prices are in USD, those of tokens for a million of them. Of a model without a row nothing is known: its cost is None,
never 0.
"""

import json
import math
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from imagejobs.edit_options import EditOptions

_FILE = Path(__file__).with_name("prices.json")
type _Usd = Annotated[float, Field(ge=0, allow_inf_nan=False)]
type _Count = Annotated[int, Field(ge=1)]
# What stands before or behind a model's name in prices.json: Bedrock's inference profiles, OpenAI's dated snapshots.
_PROFILE = re.compile(r"^(us|eu|apac|jp|au|global)\.")
_SNAPSHOT = re.compile(r"-\d{4}-\d{2}-\d{2}$")
# The estimate takes a token for so many bytes of a prompt in UTF-8. OpenAI says four characters of English.
_BYTES_PER_TOKEN = 3
# Where the model is to choose a size: of OpenAI's three standard sizes the dearest.
_AUTO_SIZE = (1024, 1024)


class ModelPrice(BaseModel):
    """One row of prices.json: either `edit` alone, or the prices of tokens.

    The rest serves estimates: how many input tokens a picture has at the most (`picture_tokens`), and how many output
    tokens an edit has, by quality (`grid`, see `_grid_tokens`) or by size in thousands of pixels (`output_tokens`).
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    # When and where the price was read.
    as_of: str = ""
    source: str = ""
    edit: _Usd | None = None
    text_input: _Usd = 0
    image_input: _Usd = 0
    output: _Usd | None = None
    picture_tokens: _Count = 1
    grid: dict[str, _Count] = {}
    output_tokens: dict[Annotated[str, Field(pattern="^[1-9]K$")], _Count] = {}

    def cost(self, input_tokens: int, output_tokens: int, image_tokens: int | None = None) -> float | None:
        """The cost of an answer. Where it is not said how many of its input tokens are an image's, all of them are.

        None where the answer does not say its tokens.
        """
        if self.edit is not None:
            return self.edit
        if self.output is None or not output_tokens:
            return None
        images = input_tokens if image_tokens is None else image_tokens
        text = input_tokens - images
        return _usd((text * self.text_input + images * self.image_input + output_tokens * self.output) / 1e6)

    def estimate(self, prompt: str, options: EditOptions, pictures: int) -> float | None:
        """What an edit with these options will cost, rather too much than too little; None where that is not known."""
        if self.edit is not None:
            return self.edit
        output_tokens = self.output_tokens_of(options)
        if output_tokens is None:
            return None
        images = pictures * self.picture_tokens
        text = math.ceil(len(prompt.encode()) / _BYTES_PER_TOKEN)
        return self.cost(text + images, output_tokens, images)

    def output_tokens_of(self, options: EditOptions) -> int | None:
        """How many output tokens an edit with these options has; None where that is not known."""
        size = _size(options.size)
        if self.grid:
            quality = self.grid.get(options.quality or "auto")
            return _grid_tokens(quality, *size) if quality and size else None
        if not self.output_tokens or not size:
            return None
        fitting = (n for name, n in sorted(self.output_tokens.items()) if size[0] * size[1] <= _pixels(name))
        return next(fitting, max(self.output_tokens.values()))


@lru_cache
def _rows() -> Mapping[str, ModelPrice]:
    return {name: ModelPrice.model_validate(row) for name, row in json.loads(_FILE.read_text()).items()}


class PriceList(BaseModel):
    """The prices of prices.json, with an owner's own in the place of rows of the same name."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    own: dict[str, ModelPrice] = {}

    def find(self, model: str) -> ModelPrice | None:
        """The price of a model, whose name may be that of an inference profile or of a dated snapshot."""
        for name in (model, _SNAPSHOT.sub("", _PROFILE.sub("", model))):
            if row := self.own.get(name) or _rows().get(name):
                return row
        return None


def _size(size: str | None) -> tuple[int, int] | None:
    if not size or size == "auto":
        return _AUTO_SIZE
    found = re.fullmatch(r"([1-9]\d{1,4})x([1-9]\d{1,4})", size)
    return (int(found[1]), int(found[2])) if found else None


def _pixels(name: str) -> float:
    """How many pixels a size such as "2K" has at the most: those of a square with such an edge, and a tenth more."""
    return (int(name[0]) * 1024) ** 2 * 1.1


def _grid_tokens(long_edge: int, width: int, height: int) -> int:
    """Output tokens of OpenAI's models: a grid over the picture, `long_edge` cells long, and more for more pixels.

    The formula of the calculator in OpenAI's guide "Image generation", under "Calculating costs".
    """
    short_edge = round(long_edge * min(width, height) / max(width, height))
    return math.ceil(long_edge * short_edge * (2_000_000 + width * height) / 4_000_000)


def _usd(amount: float) -> float:
    return round(amount, 6)
