"""Edits one image of a job: by OpenAI, or locally when OpenAI's billing limit is reached."""

from time import monotonic
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.process_image.edit import Engine, edit_image
from functions.process_image.services import make_places, require_configuration
from functions.process_image.settings import get_settings
from functions.process_image.telemetry import logger, observed
from imagejobs.secrets import load_secrets
from imagejobs.workflow import EditRequest

# What is left of the function's time, after OpenAI's answer, to keep it.
_SECONDS_TO_KEEP = 20.0


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Take an `EditRequest`, give an `EditedImage` or `RateLimited`; errors are those of `imagejobs.errors`."""
    image = EditRequest.model_validate(event)
    deadline = monotonic() + context.get_remaining_time_in_millis() / 1000 - _SECONDS_TO_KEEP
    with observed(image) as record:
        settings = get_settings()
        secrets = load_secrets(settings.secret_arn)
        require_configuration(image.operation, settings, secrets)
        places = make_places(settings, secrets)
        job = places.request(image.job_id)
        logger.append_keys(correlation_id=job.correlation_id)
        engine = Engine(settings, secrets.openai_api_key.get_secret_value(), deadline)
        result, edit = edit_image(image, job, places, engine)
        record(result, edit)
    return result.model_dump(mode="json", exclude_none=True)
