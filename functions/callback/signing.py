"""Signatures by the Standard Webhooks specification, which a receiver checks with any of its libraries."""

import binascii
from datetime import UTC, datetime

from standardwebhooks import Webhook

from imagejobs.errors import ConfigurationError


def signed_headers(signing_keys: str, job_id: str, body: bytes) -> dict[str, str]:
    """Make the headers `webhook-id`, `webhook-timestamp` and `webhook-signature` for one attempt, dated now.

    `signing_keys` holds one key, or two separated by white space while receivers move from one to the other: each
    signs, and a receiver accepts if the one it knows did. The id is the job's on every attempt, so that a receiver
    can tell a repetition.

    Raises:
        ConfigurationError: there is no key, or one that is not base64.
    """
    now = datetime.now(UTC)
    text = body.decode()
    signatures = [webhook.sign(job_id, now, text) for webhook in _webhooks(signing_keys)]
    return {
        "webhook-id": job_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def _webhooks(signing_keys: str) -> list[Webhook]:
    try:
        webhooks = [Webhook(key) for key in signing_keys.split()]
    except (binascii.Error, RuntimeError) as error:
        raise ConfigurationError("the secret's CALLBACK_SIGNING_KEY is not base64 with or without whsec_") from error
    if not webhooks:
        raise ConfigurationError("the secret has no CALLBACK_SIGNING_KEY: expected whsec_ and base64")
    return webhooks
