"""Signatures by the Standard Webhooks specification, which a receiver checks with any of its libraries."""

import re
from datetime import UTC, datetime

from standardwebhooks import Webhook

from imagejobs.errors import ConfigurationError

# Stricter than the library, which drops what is not base64: other libraries would make another key of it, or fail.
_KEY = re.compile(r"(whsec_)?([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=?|[A-Za-z0-9+/]{2}(==)?)")
# Standard Webhooks specification, "Signature scheme": a symmetric key has 24 to 64 bytes.
_MIN_BYTES = 24


def signed_headers(signing_keys: str, webhook_id: str, body: bytes) -> dict[str, str]:
    """Make the headers `webhook-id`, `webhook-timestamp` and `webhook-signature` for one attempt, dated now.

    `signing_keys` holds one key, or two separated by white space while receivers move from one to the other: each
    signs, and a receiver accepts if the one it knows did.

    Raises:
        ConfigurationError: there is no key, one that is not base64, or one of under 24 bytes.
    """
    now = datetime.now(UTC)
    text = body.decode()
    signatures = [webhook.sign(webhook_id, now, text) for webhook in _webhooks(signing_keys)]
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def _webhooks(signing_keys: str) -> list[Webhook]:
    keys = signing_keys.split()
    if not keys:
        raise ConfigurationError("the secret has no CALLBACK_SIGNING_KEY: expected whsec_ and base64")
    if not all(_KEY.fullmatch(key) for key in keys):
        raise ConfigurationError(
            "the secret's CALLBACK_SIGNING_KEY is not base64: expected base64, with or without whsec_ before it"
        )
    if any(_size(key) < _MIN_BYTES for key in keys):
        raise ConfigurationError(
            f"the secret's CALLBACK_SIGNING_KEY is too short to sign with: expected base64 of {_MIN_BYTES} to 64 bytes"
        )
    return [Webhook(key) for key in keys]


def _size(key: str) -> int:
    return len(key.removeprefix("whsec_").rstrip("=")) * 3 // 4
