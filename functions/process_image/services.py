"""What the function works with, made from its settings and secrets."""

from functions.process_image.places import Places
from functions.process_image.settings import ProcessImageSettings
from imagejobs.errors import ConfigurationError
from imagejobs.job_store import JobStore
from imagejobs.secrets import Secrets
from imagejobs.storage import Bucket, image_client, s3_client
from imagejobs.workflow import Operation


def require_configuration(operation: Operation, settings: ProcessImageSettings, secrets: Secrets) -> None:
    """Refuse to work when a setting is missing, naming every one. Accept looks too, but settings may change later."""
    needed: dict[str, object] = {"JOBS_BUCKET": settings.jobs_bucket, "OPENAI_API_KEY": secrets.openai_api_key}
    if operation != "base64":
        needed["COS_OUTPUT_BUCKET"] = settings.output_bucket
        if settings.cos_endpoint:
            needed["COS_ACCESS_KEY_ID"] = secrets.cos_access_key_id
            needed["COS_SECRET_ACCESS_KEY"] = secrets.cos_secret_access_key
    if operation == "batch":
        needed["COS_INPUT_BUCKET"] = settings.cos_input_bucket
    if missing := sorted(name for name, value in needed.items() if not value):
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
