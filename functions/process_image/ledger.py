"""What the answers of one attempt at an image took: priced, counted, and recorded where no image came of them."""

from contextlib import suppress
from dataclasses import dataclass, field

from functions.process_image.engines.engine import Usage
from functions.process_image.telemetry import record_usage
from imagejobs.errors import JobError
from imagejobs.prices import PriceList
from imagejobs.spent import put_spent
from imagejobs.storage import Bucket
from imagejobs.usage import ModelUsage
from imagejobs.workflow import EditRequest


@dataclass
class Ledger:
    """The charges of one attempt, by an owner's prices."""

    prices: PriceList
    charges: list[ModelUsage] = field(default_factory=list)

    def charge(self, engine: str, model: str, usage: Usage) -> None:
        """Count what an answer took, before it is known whether its image is any good."""
        took = self.priced(engine, model, usage)
        record_usage(took, usage.ms)
        self.charges.append(took)

    def priced(self, engine: str, model: str, usage: Usage) -> ModelUsage:
        """What an answer took, with its cost."""
        price = self.prices.find(model)
        return ModelUsage(
            engine=engine,
            model=model,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cost_usd=price and price.cost(usage.input_tokens, usage.output_tokens, usage.image_tokens),
        )

    def write_off(self, edit_request: EditRequest, jobs: Bucket) -> None:
        """Record what the attempt paid in vain; where that cannot be written, the metrics alone have it."""
        with suppress(JobError):
            for took in self.charges:
                put_spent(jobs, edit_request, took)
