"""The issuer's public keys: found by its metadata, fetched through the guard, kept, and read again when they change."""

import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jwt

from imagejobs.errors import RetryableError
from imagejobs.observability import make_logger
from imagejobs.outbound.connection import get
from imagejobs.outbound.network import NETWORK, ExchangeFailedError, Network
from imagejobs.outbound.policy import OutboundPolicy, UrlRefusedError, parse_url

logger = make_logger("authorizer")

# Asymmetric ones alone: with them, no public key can pass for a shared secret (RFC 8725, 2.1).
ALGORITHMS = ("RS256", "ES256")
# After this the keys are read again; a key that the issuer took back counts no longer.
FRESH_SECONDS = 600
# While the issuer cannot be reached, its last keys count for this long.
STALE_SECONDS = 3600
# The issuer is asked no more often than this, whatever key ids strangers invent.
RETRY_SECONDS = 30
_ANSWER_SECONDS = 3.0
_MAX_ANSWER_BYTES = 256 * 1024


class IssuerUnavailableError(RetryableError):
    """The issuer's keys could not be read: nobody can be let in, and nobody was refused."""


@dataclass
class IssuerKeys:
    """The keys by which `issuer` signs, at `jwks_uri` or where its metadata says; one instance a process."""

    issuer: str
    jwks_uri: str
    network: Network = NETWORK
    clock: Callable[[], float] = time.monotonic
    _keys: list[jwt.PyJWK] = field(default_factory=list)
    _read_at: float = float("-inf")
    _asked_at: float = float("-inf")

    def find(self, key_id: str | None, algorithm: str) -> jwt.PyJWK | None:
        """The key of this id for this algorithm; without an id, the only one for the algorithm.

        Raises:
            IssuerUnavailableError: there are no keys, or only old ones.
        """
        if self._age() > FRESH_SECONDS or not self._find(key_id, algorithm):
            self._refresh()
        if self._age() > STALE_SECONDS:
            raise IssuerUnavailableError("the keys of the token's issuer could not be read")
        return self._find(key_id, algorithm)

    def _age(self) -> float:
        return self.clock() - self._read_at

    def _find(self, key_id: str | None, algorithm: str) -> jwt.PyJWK | None:
        found = [
            key for key in self._keys if key.algorithm_name == algorithm and (key_id is None or key.key_id == key_id)
        ]
        return found[0] if len(found) == 1 else None

    def _refresh(self) -> None:
        if self.clock() - self._asked_at < RETRY_SECONDS:
            return
        self._asked_at = self.clock()
        try:
            self._keys = signing_keys(self._read_json(self.jwks_uri or self._published_jwks_uri()))
        except IssuerUnavailableError as error:
            logger.warning("the issuer's keys could not be read", reason=str(error))
        else:
            self._read_at = self.clock()

    def _published_jwks_uri(self) -> str:
        """`jwks_uri` of the issuer's metadata, which must name the very same issuer (RFC 8414, 3.3)."""
        problem = IssuerUnavailableError("it publishes no metadata")
        for url in metadata_urls(self.issuer):
            try:
                metadata = self._read_json(url)
            except IssuerUnavailableError as error:
                problem = error
                continue
            if metadata.get("issuer") != self.issuer:
                raise IssuerUnavailableError("its metadata names another issuer than JwtIssuer")
            return str(metadata.get("jwks_uri"))
        raise problem

    def _read_json(self, url: str) -> dict[str, Any]:
        try:
            status, body = get(
                url,
                {"Accept": "application/json"},
                outbound_policy(self.issuer),
                max_bytes=_MAX_ANSWER_BYTES,
                timeout=_ANSWER_SECONDS,
                network=self.network,
            )
            content = json.loads(body) if status == 200 else None
        except UrlRefusedError as error:
            raise IssuerUnavailableError(f"its URL {error}") from error
        except ExchangeFailedError as error:
            raise IssuerUnavailableError(str(error)) from error
        except ValueError as error:
            raise IssuerUnavailableError("it did not answer with JSON") from error
        if not isinstance(content, dict):
            raise IssuerUnavailableError(f"it answered {status} without a JSON object")
        return content


def signing_keys(key_set: dict[str, Any]) -> list[jwt.PyJWK]:
    """The usable keys of a JWK Set (RFC 7517, 5); raises IssuerUnavailableError when there are none."""
    items = key_set.get("keys")
    found = []
    for item in items if isinstance(items, list) else []:
        # A broken or newer kind of key, of which the library says so in many ways, takes no other key along.
        with contextlib.suppress(jwt.PyJWTError, AttributeError, KeyError, TypeError, ValueError):
            key = jwt.PyJWK(item)
            if key.algorithm_name in ALGORITHMS and key.public_key_use in (None, "sig"):
                found.append(key)
    if not found:
        raise IssuerUnavailableError("it publishes no key for RS256 or ES256")
    return found


def metadata_urls(issuer: str) -> list[str]:
    """Where an issuer publishes its metadata: as OpenID Connect Discovery 1.0, 4, and as RFC 8414, 3.1, have it."""
    base = issuer.removesuffix("/")
    scheme, _, rest = base.partition("://")
    host, slash, path = rest.partition("/")
    return [
        f"{base}/.well-known/openid-configuration",
        f"{scheme}://{host}/.well-known/oauth-authorization-server{slash}{path}",
    ]


def outbound_policy(issuer: str) -> OutboundPolicy:
    """What may be called for keys: https and public addresses, but for an issuer on this machine's loopback.

    Nobody listens between a process and its own loopback address, and in Lambda no issuer is there.
    """
    address = parse_url(issuer).address
    local = address is not None and address.is_loopback
    return OutboundPolicy(allow_http=local, allow_private=local)
