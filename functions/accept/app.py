"""The function behind API Gateway: records jobs and starts their executions, reads, cancels and redelivers them."""

from functools import lru_cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.accept.http.router import build_api
from functions.accept.resources import AcceptResources
from functions.accept.settings import AcceptSettings


@lru_cache
def resources() -> AcceptResources:
    """What this process works with."""
    return AcceptResources(AcceptSettings.from_environment())


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one API Gateway request (Lambda proxy integration)."""
    # Made anew for each request, which takes a third of a millisecond.
    return build_api(resources()).resolve(event, context)
