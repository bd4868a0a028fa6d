"""How the issuer's keys are found, kept and fetched anew, over HTTP."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Response

from functions.authorizer import issuer as subject
from functions.authorizer.issuer import IssuerKeys, IssuerUnavailableError
from tests.integration.authorizer.conftest import Authorize
from tests.support.issuer import Issuer, ec_key, rsa_key
from tests.support.waiting import PATIENCE


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(issuer: Issuer, clock: Clock) -> IssuerKeys:
    """The issuer's keys, of which nothing is known yet."""
    return IssuerKeys(issuer.url, "", clock=clock)


def found(keys: IssuerKeys, issuer: Issuer) -> bool:
    return keys.find(issuer.signing_key.kid, "RS256") is not None


def test_keys_are_read_once_and_kept(keys: IssuerKeys, issuer: Issuer) -> None:
    assert all(found(keys, issuer) for _ in range(5))
    assert issuer.requests == ["/.well-known/openid-configuration", "/jwks"]


def test_a_rotated_key_is_found_at_once(keys: IssuerKeys, issuer: Issuer, clock: Clock) -> None:
    assert found(keys, issuer)
    clock.now += subject.RETRY_SECONDS
    issuer.rotate()

    assert found(keys, issuer)


def test_invented_key_ids_do_not_make_the_issuer_be_asked_again_and_again(
    keys: IssuerKeys, issuer: Issuer, clock: Clock
) -> None:
    assert found(keys, issuer)
    clock.now += subject.RETRY_SECONDS
    assert not any(keys.find(f"invented-{number}", "RS256") for number in range(50))

    assert issuer.requests.count("/jwks") == 2


def test_a_key_that_the_issuer_took_back_counts_no_longer(keys: IssuerKeys, issuer: Issuer, clock: Clock) -> None:
    old = issuer.signing_key.kid
    assert found(keys, issuer)
    issuer.rotate()
    clock.now += subject.FRESH_SECONDS + 1

    assert keys.find(old, "RS256") is None


def test_the_last_keys_count_for_an_hour_while_the_issuer_cannot_be_reached(
    keys: IssuerKeys, issuer: Issuer, clock: Clock
) -> None:
    assert found(keys, issuer)
    issuer.stop()
    clock.now += subject.STALE_SECONDS
    assert found(keys, issuer)

    clock.now += 1
    with pytest.raises(IssuerUnavailableError):
        found(keys, issuer)


def test_an_issuer_that_cannot_be_reached_is_asked_again_after_a_while(
    keys: IssuerKeys, issuer: Issuer, clock: Clock
) -> None:
    metadata = "/.well-known/openid-configuration"
    issuer.answers[metadata] = Response(status=503)
    for _ in range(3):
        with pytest.raises(IssuerUnavailableError):
            found(keys, issuer)
    assert issuer.requests.count(metadata) == 1

    issuer.answers.clear()
    clock.now += subject.RETRY_SECONDS
    assert found(keys, issuer)


def test_an_unreachable_issuer_is_a_failure_and_not_a_refusal(authorize: Authorize, issuer: Issuer) -> None:
    token = issuer.token()
    issuer.stop()

    with pytest.raises(IssuerUnavailableError):
        authorize(token)


def test_metadata_may_lie_where_oauth_has_it(clock: Clock) -> None:
    """RFC 8414, 3.1: between host and path."""
    with Issuer(path="/tenant/") as issuer:
        keys = IssuerKeys(issuer.url, "", clock=clock)
        oauth = {"issuer": issuer.url, "jwks_uri": f"{issuer.url}/jwks"}
        issuer.answers["/tenant/.well-known/openid-configuration"] = Response(status=404)
        issuer.answers["/.well-known/oauth-authorization-server/tenant"] = _json(oauth)
        issuer.answers["/tenant//jwks"] = _json({"keys": [issuer.signing_key.as_dict(private=False)]})

        assert found(keys, issuer)


def test_the_parameter_saves_the_metadata(issuer: Issuer, clock: Clock) -> None:
    keys = IssuerKeys(issuer.url, f"{issuer.url}/jwks", clock=clock)

    assert found(keys, issuer)
    assert issuer.requests == ["/jwks"]


def _json(content: Any) -> Response:
    return Response(json.dumps(content), content_type="application/json")


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/.well-known/openid-configuration", lambda url: _json({"issuer": f"{url}/", "jwks_uri": f"{url}/jwks"})),
        ("/.well-known/openid-configuration", lambda url: _json({"issuer": url})),
        ("/.well-known/openid-configuration", lambda url: _json([])),
        ("/.well-known/openid-configuration", lambda url: _json({"issuer": url, "jwks_uri": "http://192.0.2.1/jwks"})),
        ("/.well-known/openid-configuration", lambda url: Response(status=302, headers={"Location": f"{url}/other"})),
        ("/jwks", lambda url: Response("<html>")),
        ("/jwks", lambda url: _json({"keys": []})),
        ("/jwks", lambda url: _json({"keys": "none"})),
        ("/jwks", lambda url: _json({"keys": [{"kty": "oct"}, {"kty": "RSA", "n": "AQAB"}, 7]})),
        ("/jwks", lambda url: Response(b'{"keys": "' + bytes(300_000) + b'"}')),
    ],
)
def test_an_issuer_that_answers_wrong_lets_nobody_in(
    authorize: Authorize, issuer: Issuer, path: str, answer: Callable[[str], Response]
) -> None:
    token = issuer.token()
    issuer.answers[path] = answer(issuer.url)

    with pytest.raises(IssuerUnavailableError):
        authorize(token)


def test_a_slow_issuer_is_given_up(issuer: Issuer, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "_ANSWER_SECONDS", 0.3)

    def drip() -> Iterator[bytes]:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            time.sleep(0.1)
            yield b" "

    issuer.answers["/jwks"] = Response(drip())
    keys = IssuerKeys(issuer.url, f"{issuer.url}/jwks", clock=clock)

    started = time.monotonic()
    with pytest.raises(IssuerUnavailableError):
        found(keys, issuer)
    assert time.monotonic() - started < PATIENCE / 2


def test_two_keys_of_one_id_are_told_apart_by_their_algorithm(keys: IssuerKeys, issuer: Issuer) -> None:
    rsa, ec = issuer.signing_key.as_dict(private=False), ec_key().as_dict(private=False)
    issuer.answers["/jwks"] = _json({"keys": [{**rsa, "kid": "same"}, {**ec, "kid": "same"}, {"kty": "new"}, 7]})

    found_keys = [keys.find("same", algorithm) for algorithm in ("ES256", "RS256")]
    assert [key and key.key_type for key in found_keys] == ["EC", "RSA"]


def test_broken_keys_take_no_good_key_along_and_keys_for_encryption_do_not_count(
    keys: IssuerKeys, issuer: Issuer
) -> None:
    good, other = issuer.signing_key.as_dict(private=False), rsa_key().as_dict(private=False)
    broken = [{"kty": "oct"}, {"kty": "RSA", "n": "AQAB"}, {"kty": "EC", "crv": "P-256", "x": "!", "y": 1}, {}, 7, None]
    issuer.answers["/jwks"] = _json({"keys": [*broken, {**other, "use": "enc"}, good]})

    assert keys.find(str(good["kid"]), "RS256")
    assert keys.find(str(other["kid"]), "RS256") is None
