"""The function behind API Gateway: records jobs and starts their executions, reads, cancels and redelivers them."""

from functools import lru_cache
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.accept import services
from functions.accept.routes import build_api


@lru_cache
def _api(*origins: str) -> APIGatewayRestResolver:
    return build_api(list(origins))


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one API Gateway request (Lambda proxy integration)."""
    return _api(*services.settings().origins).resolve(event, context)
