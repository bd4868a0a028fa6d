"""What a job will cost, told before anything is paid, and the bounds that it is held to."""

from dataclasses import dataclass

from imagejobs.catalogue import find_model, with_taken
from imagejobs.edit_options import EditOptions
from imagejobs.errors import CostTooHighError
from imagejobs.job_request import JobRequest
from imagejobs.settings import PriceSettings


@dataclass(frozen=True)
class Bound:
    """What a job may cost at the most, and who says so: a field of the request or a parameter of the stack."""

    usd: float
    name: str

    def __str__(self) -> str:
        return f"{dollars(self.usd)} ({self.name})"


def estimate(job: JobRequest, settings: PriceSettings, images: int = 1) -> float | None:
    """What it costs to edit so many images as a job asks, in USD; None where the model's price is not known.

    What fails and is asked for again comes on top, as does what another model takes that stands in.
    """
    asked = job.options or EditOptions()
    model = asked.model or settings.openai_image_model
    price = settings.prices.find(model)
    if price is None:
        return None
    row = find_model(model)
    if row.engine == "openai":
        defaults: dict[str, str | int] = {"quality": settings.openai_image_quality, "size": settings.openai_image_size}
        further = {name: value for name, value in defaults.items() if name not in asked.chosen}
        asked = with_taken(asked.chosen, further, row)
    one = price.estimate(job.prompt, asked, 1 + job.reference_count)
    return None if one is None else round(one * images, 6)


def bound_of(job: JobRequest, settings: PriceSettings) -> Bound | None:
    """The lower of the caller's and the owner's bound; None where there is neither."""
    bounds = [
        Bound(usd, name)
        for usd, name in ((job.max_cost_usd, "max_cost_usd"), (settings.max_cost_usd_per_job, "MaxCostUsdPerJob"))
        if usd
    ]
    return min(bounds, key=lambda bound: bound.usd, default=None)


def check_cost(job: JobRequest, settings: PriceSettings, images: int = 1) -> None:
    """Refuse a job whose estimate is above its bound, or of which no estimate can be made though it has a bound.

    Raises:
        CostTooHighError: with both numbers.
    """
    bound = bound_of(job, settings)
    if not bound or not images:
        return
    cost, what = estimate(job, settings, images), f"{images:,} images" if job.operation == "batch" else "the image"
    if cost is None:
        raise CostTooHighError(
            f"{what} may cost at most {bound}, and no estimate can be made: choose a model, a quality and a size "
            "with a price, or have the owner of the service add one (ModelPrices). Nothing was edited"
        )
    if cost > bound.usd:
        raise CostTooHighError(
            f"{what} would cost about {dollars(cost)}, and the limit is {bound}. Nothing was edited: choose fewer "
            "images, a lower quality, a smaller size or a cheaper model, or raise the bound"
        )


def dollars(usd: float) -> str:
    """An amount for people: whole cents from a dollar on, hundredths of a cent below."""
    return f"${usd:,.2f}" if usd >= 1 else f"${usd:.4f}"
