"""Settings of accept."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import Field, SecretStr

from imagejobs.secrets import EditSecrets
from imagejobs.settings import CallbackUrlSettings, FallbackSettings, PriceSettings, StorageSettings


class AccessControl(StrEnum):
    """What the API asks its callers for: an API key, a bearer token, or nothing."""

    API_KEY = "api-key"
    JWT = "jwt"
    OPEN = "open"


@dataclass(frozen=True)
class RedeliveryLimits:
    """How often callers may have one job's callback sent again, and how many seconds lie between two times."""

    count: int
    interval_seconds: int


class AcceptSettings(StorageSettings, CallbackUrlSettings, PriceSettings, FallbackSettings):
    """What the API checks, promises and tells of."""

    # A Lambda event ends at 6 MB (6,291,456 bytes), its envelope of headers and prompt included.
    max_image_base64_chars: Annotated[int, Field(ge=1)] = 6_000_000
    openai_base_url: str = ""
    # What callers may choose besides: names of models, separated by commas or spaces.
    allowed_models: str = ""
    max_concurrent_jobs: Annotated[int, Field(ge=1)] = 10
    upload_expires: Annotated[int, Field(ge=1)] = 900
    cors_allow_origins: str = ""
    access_control: AccessControl = AccessControl.API_KEY
    callback_max_retries: Annotated[int, Field(ge=1)] = 21
    max_redeliveries: Annotated[int, Field(ge=0)] = 10
    redelivery_interval_seconds: Annotated[int, Field(ge=0)] = 60
    # API Gateway waits 29 s in all.
    max_wait_seconds: Annotated[int, Field(ge=0, le=25)] = 25

    @property
    def models(self) -> list[str]:
        """The names of the models that callers may choose, that of the stack first."""
        return list(dict.fromkeys([self.openai_image_model, *self.allowed_models.replace(",", " ").split()]))

    @property
    def origins(self) -> list[str]:
        """The origins that browsers may call from."""
        return self.cors_allow_origins.replace(",", " ").split()

    @property
    def redelivery_limits(self) -> RedeliveryLimits:
        """What callers may ask of POST /jobs/{job_id}/redeliver."""
        return RedeliveryLimits(self.max_redeliveries, self.redelivery_interval_seconds)


class AcceptSecrets(EditSecrets):
    """What accept needs of the owner's secret."""

    workshop_token: SecretStr = SecretStr("")
