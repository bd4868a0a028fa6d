"""What an operation cannot do without: asked before a job is recorded, and again before money is spent on it."""

from imagejobs.secrets import Secrets
from imagejobs.settings import StorageSettings
from imagejobs.workflow import Operation


def missing_configuration(operation: Operation, settings: StorageSettings, secrets: Secrets) -> list[str]:
    """Name every setting and secret that an operation needs and that is not there, in alphabetical order."""
    needed: dict[str, object] = {"JOBS_BUCKET": settings.jobs_bucket, "OPENAI_API_KEY": secrets.openai_api_key}
    if operation != "base64":
        needed["COS_OUTPUT_BUCKET"] = settings.output_bucket
        if settings.cos_endpoint:
            needed["COS_ACCESS_KEY_ID"] = secrets.cos_access_key_id
            needed["COS_SECRET_ACCESS_KEY"] = secrets.cos_secret_access_key
    if operation == "batch":
        needed["COS_INPUT_BUCKET"] = settings.cos_input_bucket
    return sorted(name for name, value in needed.items() if not value)
