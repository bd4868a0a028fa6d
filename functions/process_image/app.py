"""Lambda function `process_image`: edits one image, by the engine that its job chose or one that stands in."""

from functools import lru_cache
from time import monotonic
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.process_image.asking import Engines
from functions.process_image.chain import engine_of
from functions.process_image.edit import edit_image
from functions.process_image.ledger import Ledger
from functions.process_image.resources import ProcessImageResources
from functions.process_image.settings import ProcessImageSettings
from functions.process_image.telemetry import logger, observed, record
from imagejobs.catalogue import LOCAL
from imagejobs.errors import ConfigurationError
from imagejobs.secrets import EditSecrets
from imagejobs.workflow import EditRequest

# What is left of the function's time, after an engine's answer, to keep it.
_SECONDS_TO_KEEP = 20.0


@lru_cache
def resources() -> ProcessImageResources:
    """What this process works with."""
    return ProcessImageResources(ProcessImageSettings.from_environment())


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Take an `EditRequest`, give an `EditedImage`, `RateLimited` or `HandedOver`.

    Its errors are those of `imagejobs.errors`.
    """
    edit_request = EditRequest.model_validate(event)
    deadline = monotonic() + context.get_remaining_time_in_millis() / 1000 - _SECONDS_TO_KEEP
    with observed(edit_request):
        own = resources()
        secrets = own.owner_secrets(EditSecrets)
        # What every engine needs comes first: which one it is, a record in the jobs bucket says.
        _require_none(own.settings.missing(edit_request.operation, LOCAL, secrets))
        job = own.get_request(edit_request.job_id)
        _require_none(own.settings.missing(edit_request.operation, engine_of(job, own.settings), secrets))
        logger.append_keys(correlation_id=job.correlation_id)
        engines = Engines(own.settings, secrets, deadline, Ledger(own.settings.prices), own.clients)
        result, is_new = edit_image(edit_request, job, own, engines)
        record(edit_request, result, is_new=is_new)
    return result.model_dump(mode="json", exclude_none=True)


def _require_none(missing: list[str]) -> None:
    if missing:
        raise ConfigurationError(f"configuration missing: {', '.join(missing)}")
