"""What is configured, what is missing, and what of it may be told."""

from functions.accept.problems import NotConfiguredError
from functions.accept.settings import AcceptSettings
from imagejobs.api import CosConfig, Health
from imagejobs.secrets import Secrets
from imagejobs.workflow import Operation


def require_configuration(operation: Operation, settings: AcceptSettings, secrets: Secrets) -> None:
    """Refuse an operation that would fail for want of settings, naming every missing one at once."""
    if missing := settings.missing(operation, secrets):
        raise NotConfiguredError(
            f"configuration missing: {', '.join(missing)}. Keys and tokens are members of the stack's secret, "
            "the rest are parameters of the stack"
        )


def health(settings: AcceptSettings, secrets: Secrets) -> Health:
    """The answer of GET /health."""
    return Health(
        ok=True,
        mode="async",
        callback_rewrite_enabled=settings.enable_callback_rewrite,
        max_concurrent_jobs=settings.max_concurrent_jobs,
        callback_retries=settings.callback_max_retries,
        fallback_single_enabled=settings.enable_fallback_single,
        workshop_token_enabled=bool(secrets.workshop_token),
    )


def cos_config(settings: AcceptSettings) -> CosConfig:
    """The answer of GET /cos/config."""
    return CosConfig(
        endpoint=settings.cos_endpoint,
        region=settings.cos_region,
        input_bucket=settings.cos_input_bucket,
        output_bucket=settings.output_bucket,
        input_prefix=settings.cos_input_prefix,
        output_prefix=settings.cos_output_prefix,
        presign_expires=settings.cos_presign_expires,
    )
