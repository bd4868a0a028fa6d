"""What `process_image` reads from its environment."""

from typing import Annotated, Literal

from pydantic import Field

from imagejobs.settings import CallbackUrlSettings, StorageSettings

OutputFormat = Literal["png", "jpeg", "webp"]


class ProcessImageSettings(StorageSettings, CallbackUrlSettings):
    """How OpenAI is asked, how long, and what is done when it refuses."""

    # What the SDK's `ImageModel` names as gpt-image-1's successor beside the slower, finer -sunburst.
    openai_image_model: str = "gpt-image-2.5-flare"
    openai_image_quality: Literal["low", "medium", "high", "xhigh", "max", "auto"] = "medium"
    openai_image_output_format: OutputFormat = "png"
    openai_image_size: str = "auto"
    openai_image_background: Literal["transparent", "opaque", "auto"] = "auto"
    # Another server that speaks OpenAI's images API; empty for OpenAI itself.
    openai_base_url: str = ""
    # From the first byte sent until the last one received, whatever the server does meanwhile.
    openai_timeout_seconds: Annotated[float, Field(gt=0)] = 240
    openai_billing_limit_codes: str = (
        "billing_hard_limit_reached,organization_spend_limit_exceeded,project_spend_limit_exceeded"
    )
    # How long an image waits for OpenAI's rate limit in all; then the limit is reported.
    openai_max_rate_limit_wait_hours: Annotated[float, Field(ge=0)] = 12

    # Who is asked about prompt and picture before an edit.
    prompt_screening: Literal["off", "openai"] = "off"

    enable_fallback_single: bool = True
    fallback_watermark_text: str = "Local fallback: OpenAI billing limit reached"

    max_image_pixels: Annotated[int, Field(ge=1)] = 64_000_000
    # The function's own memory in MiB, which Lambda tells.
    aws_lambda_function_memory_size: Annotated[int, Field(ge=128)] = 2048

    @property
    def billing_limit_codes(self) -> frozenset[str]:
        """The error codes by which OpenAI says that its billing hard limit is reached."""
        return frozenset(self.openai_billing_limit_codes.replace(",", " ").split())
