"""Verifies access tokens: JWTs (RFC 7519) with the checks of RFC 8725 and, as far as issuers follow it, RFC 9068."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import jwt

from functions.authorizer.issuer import ALGORITHMS, IssuerKeys

CLOCK_SKEW_SECONDS = 60
# RFC 9068, 2.1, and what issuers older than it write. All else is another kind of token (logout, DPoP, …).
_TYPES = {"jwt", "at+jwt", "application/at+jwt"}
# Where issuers name the client: RFC 9068, OpenID Connect, Microsoft Entra, Okta.
_CLIENT_CLAIMS = ("client_id", "azp", "appid", "cid")
# Where issuers name what was granted: RFC 9068 (a string), Okta and Entra for a user, Entra for a client.
_SCOPE_CLAIMS = ("scope", "scp", "roles")


class TokenRefusedError(Exception):
    """A token that is not taken. The message is for the log, and repeats nothing of the token."""


@dataclass(frozen=True)
class Caller:
    """Whom a token stands for, and what was granted to them."""

    issuer: str
    subject: str
    client_id: str
    scopes: frozenset[str]

    @property
    def id(self) -> str:
        """Tells callers apart without naming them: a subject may be an e-mail address."""
        return "jwt:" + sha256(json.dumps([self.issuer, self.subject]).encode()).hexdigest()


def verify(authorization: str, keys: IssuerKeys, audiences: frozenset[str]) -> Caller:
    """Verify the token of an Authorization header (RFC 6750, 2.1).

    Raises:
        TokenRefusedError: it is malformed, expired, or not signed by this issuer for one of these audiences.
        IssuerUnavailableError: the issuer's keys could not be read.
    """
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise TokenRefusedError("the Authorization header has no bearer token")
    try:
        claims = _verified_claims(token.strip(), keys, audiences)
    except jwt.PyJWTError as error:
        # The library's own message may quote the token.
        raise TokenRefusedError(type(error).__name__) from None
    return Caller(
        issuer=claims["iss"],
        subject=claims["sub"],
        client_id=next((claims[name] for name in _CLIENT_CLAIMS if isinstance(claims.get(name), str)), ""),
        scopes=frozenset(scope for name in _SCOPE_CLAIMS for scope in _values(claims.get(name), separator=" ")),
    )


def _verified_claims(token: str, keys: IssuerKeys, audiences: frozenset[str]) -> dict[str, Any]:
    header = jwt.get_unverified_header(token)
    kind, algorithm = header.get("typ", "JWT"), header.get("alg")
    if not isinstance(kind, str) or kind.lower() not in _TYPES:
        raise TokenRefusedError("the token is of another type than an access token")
    if algorithm not in ALGORITHMS:
        raise TokenRefusedError("the token is signed by another algorithm than RS256 or ES256")
    key = keys.find(header.get("kid"), algorithm)
    if key is None:
        raise TokenRefusedError("the token names a key that the issuer does not have")
    claims: dict[str, Any] = jwt.decode(
        token,
        key,
        algorithms=[algorithm],
        issuer=keys.issuer,
        leeway=CLOCK_SKEW_SECONDS,
        # Audiences are checked below: some access tokens have none.
        options={"require": ["exp", "iss", "sub"], "verify_aud": False, "enforce_minimum_key_length": True},
    )
    _check_audience(claims, audiences)
    return claims


def _check_audience(claims: Mapping[str, Any], audiences: frozenset[str]) -> None:
    """Refuse a token for somebody else. Amazon Cognito's access tokens have no `aud`: their `client_id` stands in."""
    if claims.get("token_use", "access") != "access":
        raise TokenRefusedError("the token is an ID token")
    if not _values(claims.get("aud") or claims.get("client_id")) & audiences:
        raise TokenRefusedError("the token is for another audience")


def _values(claim: object, separator: str | None = None) -> set[str]:
    """The strings of a claim that is a list or one string, which may hold several with a separator between."""
    if isinstance(claim, str):
        return set(claim.split(separator)) if separator else {claim}
    return {value for value in claim if isinstance(value, str)} if isinstance(claim, list) else set()
