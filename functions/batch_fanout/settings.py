"""What `batch_fanout` reads from its environment."""

from typing import Annotated

from pydantic import Field

from imagejobs.settings import CallbackUrlSettings, PriceSettings, StorageSettings


class BatchFanoutSettings(StorageSettings, CallbackUrlSettings, PriceSettings):
    """Settings of batch_fanout."""

    max_batch_images: Annotated[int, Field(ge=1)] = 10_000
