"""Lambda function `authorizer`: asked by API Gateway whom a bearer token stands for, where AccessControl is `jwt`."""

from functools import lru_cache
from typing import Any

from functions.authorizer.issuer import IssuerKeys
from functions.authorizer.policy import answer
from functions.authorizer.settings import AuthorizerSettings
from functions.authorizer.tokens import TokenRefusedError, verify
from imagejobs.observability import make_logger

logger = make_logger("authorizer")


class UnauthorizedError(Exception):
    """Its message is the one that API Gateway answers with its gateway response UNAUTHORIZED (401)."""

    def __init__(self) -> None:
        super().__init__("Unauthorized")


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Answer with a policy, or fail with Unauthorized; an issuer that cannot be reached is the function's failure."""
    try:
        caller = verify(event["authorizationToken"], issuer_keys(), settings().audiences)
    except TokenRefusedError as error:
        logger.info("token refused", reason=str(error))
        raise UnauthorizedError from None
    return answer(event["methodArn"], caller, settings().scopes)


@lru_cache
def settings() -> AuthorizerSettings:
    """The settings of this process."""
    return AuthorizerSettings.from_environment()


@lru_cache
def issuer_keys() -> IssuerKeys:
    """The issuer's keys, kept for the life of this process."""
    return IssuerKeys(settings().jwt_issuer, settings().jwt_jwks_uri, logger)
