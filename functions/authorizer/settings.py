"""Settings of authorizer."""

from imagejobs.settings import Settings


class AuthorizerSettings(Settings):
    """Which bearer tokens are taken."""

    # As the token's `iss` has it, character for character.
    jwt_issuer: str = ""
    # What the token's `aud` may be, separated by commas.
    jwt_audience: str = ""
    # Scopes that a token needs, all of them, separated by spaces; empty asks for none.
    jwt_scope: str = ""
    # Where the issuer publishes its keys; empty reads it from the issuer's metadata.
    jwt_jwks_uri: str = ""

    @property
    def audiences(self) -> frozenset[str]:
        """The audiences of which a token names at least one."""
        return frozenset(filter(None, (audience.strip() for audience in self.jwt_audience.split(","))))

    @property
    def scopes(self) -> frozenset[str]:
        """The scopes that a token needs."""
        return frozenset(self.jwt_scope.split())
