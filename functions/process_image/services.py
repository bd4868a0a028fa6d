"""What the function works with, made from its settings and secrets."""

from functions.process_image.places import Places
from functions.process_image.settings import ProcessImageSettings
from imagejobs.configuration import missing_configuration
from imagejobs.errors import ConfigurationError
from imagejobs.job_store import JobStore
from imagejobs.secrets import Secrets
from imagejobs.storage import Bucket, image_client, s3_client
from imagejobs.workflow import Operation


def require_configuration(operation: Operation, settings: ProcessImageSettings, secrets: Secrets) -> None:
    """Refuse to work when a setting is missing, naming every one. Accept looks too, but settings may change later."""
    if missing := missing_configuration(operation, settings, secrets):
        raise ConfigurationError(f"configuration missing: {', '.join(missing)}")


def make_places(settings: ProcessImageSettings, secrets: Secrets) -> Places:
    """The buckets and the way to other servers, as configured."""
    images = image_client(settings, secrets)
    return Places(
        jobs=JobStore(Bucket(s3_client(), settings.jobs_bucket)),
        inputs=Bucket(images, settings.cos_input_bucket),
        outputs=Bucket(images, settings.output_bucket),
        fetch=lambda url, max_bytes: _fetch(url, max_bytes, settings),
    )


def _fetch(url: str, max_bytes: int, settings: ProcessImageSettings) -> bytes:
    # Here, since only jobs with an image_url need it.
    from imagejobs.outbound.connection import fetch

    return fetch(url, settings.source_policy, max_bytes=max_bytes, timeout=settings.image_url_timeout_seconds)
