"""Lambda function `authorizer`: asked by API Gateway whom a bearer token stands for, where AccessControl is `jwt`."""

from functools import lru_cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.authorizer.issuer import logger
from functions.authorizer.policy import answer
from functions.authorizer.resources import AuthorizerResources
from functions.authorizer.settings import AuthorizerSettings
from functions.authorizer.tokens import TokenRefusedError, verify


class UnauthorizedError(Exception):
    """Its message is the one that API Gateway answers with its gateway response UNAUTHORIZED (401)."""

    def __init__(self) -> None:
        super().__init__("Unauthorized")


@lru_cache
def resources() -> AuthorizerResources:
    """What this process works with."""
    return AuthorizerResources(AuthorizerSettings.from_environment())


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001
    """Answer with a policy, or fail with Unauthorized; an issuer that cannot be reached is the function's failure."""
    own = resources()
    try:
        caller = verify(event["authorizationToken"], own.issuer_keys, own.settings.audiences)
    except TokenRefusedError as error:
        logger.info("token refused", reason=str(error))
        raise UnauthorizedError from None
    return answer(event["methodArn"], caller, own.settings.scopes)
