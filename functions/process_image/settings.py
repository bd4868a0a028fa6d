"""What `process_image` reads from its environment."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field

from imagejobs.catalogue import is_known
from imagejobs.edit_options import Background, EditOptions, OutputFormat
from imagejobs.settings import CallbackUrlSettings, FallbackSettings, PriceSettings, StorageSettings


class ProcessImageSettings(StorageSettings, CallbackUrlSettings, PriceSettings, FallbackSettings):
    """How the engines are asked, how long, and what is done when one refuses."""

    openai_image_output_format: OutputFormat = "png"
    openai_image_background: Background = "auto"
    # Another server that speaks OpenAI's images API; empty for OpenAI itself.
    openai_base_url: str = ""
    # From the first byte sent until the last one received, whatever the server does meanwhile.
    openai_timeout_seconds: Annotated[float, Field(gt=0)] = 240
    openai_billing_limit_codes: str = (
        "billing_hard_limit_reached,organization_spend_limit_exceeded,project_spend_limit_exceeded"
    )
    # How long an image waits for OpenAI's rate limit in all; then the limit is reported.
    openai_max_rate_limit_wait_hours: Annotated[float, Field(ge=0)] = 12

    # The first part of the inference profiles' ids; another address of Bedrock's runtime than the region's own.
    bedrock_geography: str = "us"
    bedrock_endpoint_url: str = ""
    # Another server that speaks the Gemini API; empty for Google's.
    gemini_base_url: str = ""

    fallback_watermark_text: str = "Local fallback: OpenAI billing limit reached"

    # Further attempts at an image, which the state machine counts; here for those between which an image waits.
    edit_max_retries: Annotated[int, Field(ge=0)] = 4
    max_image_pixels: Annotated[int, Field(ge=1)] = 64_000_000
    # The function's own memory in MiB, which Lambda tells.
    aws_lambda_function_memory_size: Annotated[int, Field(ge=128)] = 2048

    def is_openais(self, model: str) -> bool:
        """Whether a model is OpenAI's: the catalogue says so, or api.openai.com (eu.api.openai.com …) is asked.

        A model by another name at another server is not, and such a server may refuse what it does not know.
        """
        host = urlsplit(self.openai_base_url).hostname or ""
        return is_known(model) or not self.openai_base_url or f".{host}".endswith(".api.openai.com")

    def openai_defaults(self, model: str) -> EditOptions:
        """What OpenAI's API is asked for where the caller says nothing.

        Of a model that is not OpenAI's only what differs from these settings' own defaults: the owner chose it.
        """
        names = {f"openai_image_{name}": name for name in ("quality", "size", "background", "output_format")}
        told = {
            name: getattr(self, field)
            for field, name in names.items()
            if self.is_openais(model) or getattr(self, field) != type(self).model_fields[field].default
        }
        return EditOptions.model_validate(told)

    @property
    def billing_limit_codes(self) -> frozenset[str]:
        """The error codes by which OpenAI says that its billing hard limit is reached."""
        return frozenset(self.openai_billing_limit_codes.replace(",", " ").split())
