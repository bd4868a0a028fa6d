"""Signatures, checked as a receiver checks them: with the stock library."""

import base64
import json
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from functions.callback.signing import signed_headers
from imagejobs.errors import ConfigurationError

OLD = "whsec_" + base64.b64encode(b"o" * 32).decode()
NEW = "whsec_" + base64.b64encode(b"n" * 32).decode()
# What Secrets Manager generates for the stack: 44 letters and digits, which are base64 as they are.
GENERATED = "Zk3vT9qLw2XcB7nMh4RsYd8FgJ6pKa1EuVi5oQtC0WxN"
BODY = json.dumps({"status": "failed", "job_id": "j", "error": "é"}).encode()


@pytest.mark.parametrize("key", [OLD, GENERATED, f"whsec_{GENERATED}"])
def test_the_stock_library_verifies_a_callback(key: str) -> None:
    headers = signed_headers(key, "job-1", BODY)

    assert Webhook(key).verify(BODY, headers) == json.loads(BODY)
    assert headers["webhook-id"] == "job-1"
    assert abs(int(headers["webhook-timestamp"]) - datetime.now(UTC).timestamp()) < 5


def test_a_changed_body_id_or_time_is_not_verified() -> None:
    headers = signed_headers(OLD, "job-1", BODY)

    for body, changed in [
        (BODY + b" ", headers),
        (BODY, {**headers, "webhook-id": "job-2"}),
        (BODY, {**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) - 1)}),
    ]:
        with pytest.raises(WebhookVerificationError):
            Webhook(OLD).verify(body, changed)


@pytest.mark.parametrize("separator", [" ", "\n", "  "])
def test_two_keys_sign_side_by_side_and_each_receiver_checks_its_own(separator: str) -> None:
    headers = signed_headers(f"{OLD}{separator}{NEW}", "job-1", BODY)

    assert [part.split(",")[0] for part in headers["webhook-signature"].split(" ")] == ["v1", "v1"]
    Webhook(OLD).verify(BODY, headers)
    Webhook(NEW).verify(BODY, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(GENERATED).verify(BODY, headers)


@pytest.mark.parametrize("prefix", ["", "whsec_"])
def test_a_key_has_24_bytes_at_least(prefix: str) -> None:
    def key(size: int) -> str:
        return prefix + base64.b64encode(b"k" * size).decode()

    Webhook(key(24)).verify(BODY, signed_headers(key(24), "job-1", BODY))
    for short in (key(23), key(23).rstrip("="), f"{key(24)} {key(23)}", "AAAA"):
        with pytest.raises(ConfigurationError, match=r"CALLBACK_SIGNING_KEY is too short.* 24 to 64 bytes") as error:
            signed_headers(short, "job-1", BODY)
        assert key(23).rstrip("=") not in str(error.value)


@pytest.mark.parametrize("keys", ["", "  ", "whsec_", "whsec_a", "whsec_ab!cd", f"{OLD} a!", "whsec_abcde", "whsec_=="])
def test_a_missing_or_broken_key_is_named_and_not_shown(keys: str) -> None:
    with pytest.raises(ConfigurationError, match="CALLBACK_SIGNING_KEY") as error:
        signed_headers(keys, "job-1", BODY)

    assert "whsec_a" not in str(error.value)
