"""A real issuer: Authlib's OAuth 2.0 authorization server over HTTP, with the client credentials grant."""

from functools import lru_cache
from typing import Any

import httpx2
from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from authlib.oauth2.rfc9068 import JWTBearerTokenGenerator
from flask import Flask, jsonify, request
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey
from werkzeug import Request, Response

from standins.server import Server
from tests.support.waiting import PATIENCE

AUDIENCE = "https://images.example"
SCOPE = "images.edit"


def rsa_key(bits: int = 2048) -> RSAKey:
    """A new key for RS256, under a name of its own."""
    return RSAKey.generate_key(bits, {"use": "sig", "alg": "RS256"}, auto_kid=True)


def ec_key() -> ECKey:
    """A new key for ES256, under a name of its own."""
    return ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256"}, auto_kid=True)


@lru_cache
def _first_key() -> RSAKey:
    """The key that every issuer of a process begins with: making one takes a while."""
    return rsa_key()


class Client:
    """A registered client, as Authlib asks for one: it may have any scope that it asks for."""

    def __init__(self, client_id: str, secret: str) -> None:
        self.client_id, self._secret = client_id, secret

    def get_client_id(self) -> str:
        return self.client_id

    def check_client_secret(self, secret: str) -> bool:
        return secret == self._secret

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == "client_secret_basic"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "client_credentials"

    def get_allowed_scope(self, scope: str | None) -> str:
        return scope or ""


class _Tokens(JWTBearerTokenGenerator):  # type: ignore[misc]  # Authlib has no types
    """Authlib's access tokens (RFC 9068), for the audience that the request names."""

    def __init__(self, issuer: "Issuer") -> None:
        super().__init__(issuer.url, expires_generator=lambda *_: 300)
        self._issuer = issuer

    def get_audiences(self, client: Any, user: Any, scope: Any) -> str:
        return request.form.get("audience", AUDIENCE)

    def get_jwks(self) -> KeySet:
        return KeySet([self._issuer.signing_key])


class Issuer(Server):
    """An issuer on loopback; a context manager. `requests` are the paths that it was asked for."""

    def __init__(self, *, path: str = "") -> None:
        super().__init__()
        self.requests: list[str] = []
        self.answers: dict[str, Response] = {}
        self._client = Client("wxo", "a-secret")
        self._app = Flask(__name__)
        self.url = f"{self.base_url}{path}"
        self.keys: list[RSAKey | ECKey] = [_first_key()]
        self._oauth = AuthorizationServer(self._app, lambda _id: self._client, lambda *_: None)
        self._oauth.register_grant(ClientCredentialsGrant)
        self._oauth.register_token_generator("default", _Tokens(self))
        self._app.post(f"{path}/token")(self._oauth.create_token_response)
        self._app.get(f"{path}/jwks")(lambda: jsonify(KeySet([*self.keys]).as_dict(private=False)))
        self._app.get(f"{path}/.well-known/openid-configuration", endpoint="oidc")(self._metadata)

    def answer(self, request: Request) -> Response:
        """Answer as the test said for this path, or as Authlib does."""
        self.requests.append(request.path)
        return self.answers.get(request.path) or Response.from_app(self._app, request.environ)

    @property
    def signing_key(self) -> RSAKey | ECKey:
        return self.keys[-1]

    def rotate(self, key: RSAKey | ECKey | None = None) -> None:
        """Sign by another key, and publish that one alone."""
        self.keys = [key or rsa_key()]

    def token(self, *, scope: str = SCOPE, audience: str = AUDIENCE) -> str:
        """An access token by the client credentials grant, as a client gets it."""
        answer = httpx2.post(
            f"{self.url}/token",
            data={"grant_type": "client_credentials", "scope": scope, "audience": audience},
            auth=("wxo", "a-secret"),
            timeout=PATIENCE,
        )
        return str(answer.raise_for_status().json()["access_token"])

    def signed(self, claims: dict[str, Any], *, header: dict[str, Any] | None = None, key: Any = None) -> str:
        """A token with these claims, which no honest request would get; a claim of None is left out."""
        key = key or self.signing_key
        head = {
            "alg": "ES256" if isinstance(key, ECKey) else "RS256",
            "kid": key.kid,
            "typ": "at+jwt",
            **(header or {}),
        }
        return jwt.encode(
            {name: value for name, value in head.items() if value is not None},
            {name: value for name, value in claims.items() if value is not None},
            key,
            default_type=None,
        )

    def _metadata(self) -> Response:
        return jsonify(issuer=self.url, token_endpoint=f"{self.url}/token", jwks_uri=f"{self.url}/jwks")
