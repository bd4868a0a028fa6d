"""Which tokens open the API, and which do not: minted by a real issuer, or forged in every way that is known."""

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from functions.authorizer import app
from functions.authorizer.app import UnauthorizedError
from tests.integration.authorizer.conftest import METHOD_ARN, Authorize, Configure
from tests.support.context import Context
from tests.support.issuer import AUDIENCE, SCOPE, Issuer, ec_key, rsa_key


def effect(answer: dict[str, Any]) -> str:
    (statement,) = answer["policyDocument"]["Statement"]
    return str(statement["Effect"])


def refused(authorize: Authorize, token: str) -> None:
    with pytest.raises(UnauthorizedError, match=r"^Unauthorized$"):
        authorize(token)


def encoded(part: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def test_a_token_of_the_client_credentials_grant_opens_every_route_of_the_stage(
    authorize: Authorize, issuer: Issuer
) -> None:
    answer = authorize(issuer.token())

    (statement,) = answer["policyDocument"]["Statement"]
    assert statement == {
        "Action": "execute-api:Invoke",
        "Effect": "Allow",
        "Resource": "arn:aws:execute-api:eu-central-1:123456789012:abc123/v1/*",
    }
    assert answer["context"] == {"caller": answer["principalId"], "client_id": "wxo"}
    assert answer["principalId"].startswith("jwt:")


def test_an_elliptic_curve_key_signs_as_well(authorize: Authorize, issuer: Issuer, claims: dict[str, Any]) -> None:
    issuer.rotate(ec_key())

    assert effect(authorize(issuer.signed(claims))) == "Allow"


def test_callers_differ_by_subject_and_issuer_and_stay_the_same_over_tokens(
    authorize: Authorize, issuer: Issuer, claims: dict[str, Any]
) -> None:
    caller = authorize(issuer.signed(claims))["principalId"]

    assert authorize(issuer.signed(claims | {"iat": claims["iat"] - 1}))["principalId"] == caller
    assert authorize(issuer.signed(claims | {"sub": "another"}))["principalId"] != caller
    assert "agent" not in caller


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": [AUDIENCE, "https://elsewhere.example"]},
        {"aud": "https://other.example"},
        {"aud": None, "client_id": AUDIENCE},  # as Amazon Cognito's access tokens
        {"scope": None, "scp": ["images.read", SCOPE]},  # as Okta's
        {"scope": None, "scp": f"images.read {SCOPE}"},  # as Entra's for a user
        {"scope": None, "roles": [SCOPE]},  # as Entra's for a client
        {"scope": ["images.read", SCOPE]},
        {"iat": None},
    ],
    ids=str,
)
def test_what_issuers_write_otherwise_is_taken(
    authorize: Authorize, issuer: Issuer, claims: dict[str, Any], changes: dict[str, Any]
) -> None:
    assert effect(authorize(issuer.signed(claims | changes))) == "Allow"


@pytest.mark.parametrize(("claim", "direction"), [("exp", -1), ("nbf", 1), ("iat", 1)])
def test_clocks_may_differ_by_less_than_a_minute(
    authorize: Authorize, issuer: Issuer, claims: dict[str, Any], claim: str, direction: int
) -> None:
    now = int(time.time())

    assert effect(authorize(issuer.signed(claims | {claim: now + direction * 20}))) == "Allow"
    refused(authorize, issuer.signed(claims | {claim: now + direction * 600}))


@pytest.mark.parametrize("typ", ["JWT", "jwt", "application/at+jwt", None])
def test_the_types_of_access_tokens_are_taken(
    authorize: Authorize, issuer: Issuer, claims: dict[str, Any], typ: Any
) -> None:
    assert effect(authorize(issuer.signed(claims, header={"typ": typ}))) == "Allow"


@pytest.mark.parametrize("scope", [None, "", "images.editor", "images", "IMAGES.EDIT", f"{SCOPE}.all"])
def test_a_token_without_the_scope_is_denied(
    authorize: Authorize, issuer: Issuer, claims: dict[str, Any], scope: str | None
) -> None:
    assert effect(authorize(issuer.signed(claims | {"scope": scope}))) == "Deny"


def test_every_scope_is_needed_where_several_are_set(
    authorize: Authorize, configure: Configure, issuer: Issuer
) -> None:
    configure(JWT_SCOPE="images.edit images.batch")

    assert effect(authorize(issuer.token(scope="images.edit"))) == "Deny"
    assert effect(authorize(issuer.token(scope="openid images.batch images.edit"))) == "Allow"


def test_without_a_scope_set_none_is_needed(authorize: Authorize, configure: Configure, issuer: Issuer) -> None:
    configure(JWT_SCOPE="")

    assert effect(authorize(issuer.token(scope=""))) == "Allow"


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": None},
        {"exp": "never"},
        {"iss": "https://stranger.example"},
        {"iss": None},
        {"aud": "https://elsewhere.example"},
        {"aud": [f"{AUDIENCE}/"]},
        {"aud": f"{AUDIENCE} https://elsewhere.example"},
        {"aud": None},
        {"aud": []},
        {"aud": {"a": AUDIENCE}},
        {"aud": "https://elsewhere.example", "client_id": AUDIENCE},
        {"sub": None},
        {"sub": 7},
        {"aud": None, "client_id": AUDIENCE, "token_use": "id"},
    ],
    ids=str,
)
def test_claims_that_do_not_fit_are_refused(
    authorize: Authorize, issuer: Issuer, claims: dict[str, Any], changes: dict[str, Any]
) -> None:
    refused(authorize, issuer.signed(claims | changes))


@pytest.mark.parametrize("typ", ["logout+jwt", "dpop+jwt", "JOSE", "", 7])
def test_other_kinds_of_tokens_are_refused(
    authorize: Authorize, issuer: Issuer, claims: dict[str, Any], typ: Any
) -> None:
    head = {"alg": "RS256", "kid": issuer.signing_key.kid, "typ": typ}
    if isinstance(typ, str):
        refused(authorize, issuer.signed(claims, header=head))
    else:
        _, body, signature = issuer.signed(claims).split(".")
        refused(authorize, f"{encoded(head)}.{body}.{signature}")


@pytest.mark.parametrize("algorithm", ["none", "None", "nOnE", ""])
def test_an_unsigned_token_is_refused(
    authorize: Authorize, issuer: Issuer, claims: dict[str, Any], algorithm: str
) -> None:
    refused(authorize, f"{encoded({'alg': algorithm, 'typ': 'JWT'})}.{encoded(claims)}.")


def test_the_public_key_is_no_shared_secret(authorize: Authorize, issuer: Issuer, claims: dict[str, Any]) -> None:
    """Key confusion: HS256, keyed with what everybody can read."""
    public = issuer.signing_key.as_pem(private=False)
    for secret in (public, public.strip(), json.dumps(issuer.signing_key.as_dict(private=False)).encode()):
        signed = f"{encoded({'alg': 'HS256', 'kid': issuer.signing_key.kid, 'typ': 'JWT'})}.{encoded(claims)}"
        tag = base64.urlsafe_b64encode(hmac.new(secret, signed.encode(), hashlib.sha256).digest())
        refused(authorize, f"{signed}.{tag.rstrip(b'=').decode()}")


@pytest.mark.parametrize("algorithm", ["RS384", "RS512", "PS256"])
def test_other_algorithms_are_refused_even_from_the_issuers_own_key(
    authorize: Authorize, issuer: Issuer, claims: dict[str, Any], algorithm: str
) -> None:
    key = RSAKey.import_key({**issuer.signing_key.as_dict(private=True), "alg": algorithm})
    head = {"alg": algorithm, "kid": issuer.signing_key.kid}

    refused(authorize, jwt.encode(head, claims, key, algorithms=[algorithm]))


def test_an_elliptic_curve_token_cannot_name_an_rsa_key(
    authorize: Authorize, issuer: Issuer, claims: dict[str, Any]
) -> None:
    refused(authorize, issuer.signed(claims, key=ec_key(), header={"kid": issuer.signing_key.kid}))


def test_a_strangers_key_is_refused_whatever_its_name(
    authorize: Authorize, issuer: Issuer, claims: dict[str, Any]
) -> None:
    stranger = rsa_key()

    refused(authorize, issuer.signed(claims, key=stranger))
    refused(authorize, issuer.signed(claims, key=stranger, header={"kid": issuer.signing_key.kid}))
    refused(authorize, issuer.signed(claims, key=stranger, header={"kid": None}))


def test_a_key_that_a_token_brings_along_is_not_asked(
    authorize: Authorize, issuer: Issuer, claims: dict[str, Any]
) -> None:
    stranger = rsa_key()
    with Issuer() as other:
        for brought in ({"jwk": stranger.as_dict(private=False)}, {"jku": f"{other.url}/jwks"}):
            head = {"alg": "RS256", "kid": stranger.kid, **brought}
            refused(authorize, issuer.signed(claims, key=stranger, header=head))

        assert other.requests == []


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_changed_token_is_refused(authorize: Authorize, issuer: Issuer, claims: dict[str, Any], part: int) -> None:
    parts = issuer.signed(claims).split(".")
    middle = len(parts[part]) // 2
    parts[part] = parts[part][:middle] + ("A" if parts[part][middle] != "A" else "B") + parts[part][middle + 1 :]

    refused(authorize, ".".join(parts))


@pytest.mark.parametrize("token", ["", "x", "a.b", "a.b.c", "....", "e30.e30.", "e30.e30.e30", "[].{}.é", "W10.e30.AA"])
def test_what_is_not_a_token_is_refused(authorize: Authorize, token: str) -> None:
    refused(authorize, token)


def test_an_unknown_critical_extension_is_refused(authorize: Authorize, issuer: Issuer, claims: dict[str, Any]) -> None:
    _, body, signature = issuer.signed(claims).split(".")
    head = {"alg": "RS256", "kid": issuer.signing_key.kid, "crit": ["exp"], "exp": 1}

    refused(authorize, f"{encoded(head)}.{body}.{signature}")


def test_a_weak_key_is_refused_although_the_issuer_publishes_it(
    authorize: Authorize, issuer: Issuer, claims: dict[str, Any]
) -> None:
    issuer.rotate(rsa_key(1024))

    refused(authorize, issuer.signed(claims))


def test_another_scheme_than_bearer_is_refused(authorize: Authorize, issuer: Issuer) -> None:
    event = {"authorizationToken": f"Basic {issuer.token()}", "methodArn": METHOD_ARN}
    with pytest.raises(UnauthorizedError):
        app.handler(event, Context())


def test_no_token_and_no_claim_is_logged(
    authorize: Authorize, issuer: Issuer, claims: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    token = issuer.signed(claims | {"sub": "jane@example.com"})
    authorize(token)
    refused(authorize, token[:-4] + "AAAA")
    refused(authorize, issuer.signed(claims | {"sub": "jane@example.com", "exp": 1}))

    logged = [vars(record) for record in caplog.records if record.name == "authorizer"]
    assert [line["reason"] for line in logged] == ["InvalidSignatureError", "ExpiredSignatureError"]
    assert not any(secret in str(logged) for secret in [*token.split("."), "jane@example.com"])
