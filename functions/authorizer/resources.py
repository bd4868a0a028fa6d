"""What the authorizer works with, which is nothing of AWS: its settings and the issuer's keys."""

from functions.authorizer.issuer import IssuerKeys
from functions.authorizer.settings import AuthorizerSettings


class AuthorizerResources:
    """The wiring of the authorizer; the keys are fetched on first use and kept."""

    def __init__(self, settings: AuthorizerSettings) -> None:
        self.settings = settings
        self.issuer_keys = IssuerKeys(settings.jwt_issuer, settings.jwt_jwks_uri)
