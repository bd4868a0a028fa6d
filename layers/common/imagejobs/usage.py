"""What images took of the models that edited them: tokens, and an estimate in USD."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

type Tokens = Annotated[int, Field(ge=0)]


class ModelUsage(BaseModel):
    """What one model took for `images` edits, and for answers that brought none.

    The cost is None where that of any part is not known: a sum without it would be too low.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    engine: str
    # None for edits of a version that did not keep it.
    model: str | None = None
    images: Annotated[int, Field(ge=0)] = 0
    input_tokens: Tokens = 0
    output_tokens: Tokens = 0
    cost_usd: float | None = None

    @classmethod
    def of_image(cls, edited: BaseModel) -> Self:
        """What one edit took, by a model with fields of these names."""
        return cls.model_validate(edited.model_dump(exclude_none=True) | {"images": 1})


@dataclass
class UsageSums:
    """Adds usage up by engine and model, part by part: a batch may have a million of them."""

    _sums: dict[tuple[str, str | None], "_Sum"] = field(default_factory=dict)

    def add(self, part: ModelUsage) -> None:
        """Add what an image, or several, took."""
        self._sums.setdefault((part.engine, part.model), _Sum()).add(part)

    def by_model(self) -> list[ModelUsage]:
        """The sums, in the order of engines and models."""
        ordered = sorted(self._sums.items(), key=lambda item: (item[0][0], item[0][1] or ""))
        return [ModelUsage(engine=engine, model=model, **vars(one)) for (engine, model), one in ordered]


@dataclass
class _Sum:
    images: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = 0.0

    def add(self, part: ModelUsage) -> None:
        self.images += part.images
        self.input_tokens += part.input_tokens
        self.output_tokens += part.output_tokens
        self.cost_usd = added_costs((self.cost_usd, part.cost_usd))


def added_costs(costs: Iterable[float | None]) -> float | None:
    """Add costs up, to a millionth of a dollar; None where one of them is not known."""
    added = 0.0
    for cost in costs:
        if cost is None:
            return None
        added += cost
    return round(added, 6)
