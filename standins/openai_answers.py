"""What the OpenAI stand-in can answer: edits, refusals in the form of OpenAI's API, and answers that are broken."""

import base64
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from imagejobs.edit_options import EditOptions
from imagejobs.prices import PriceList
from standins.server import Answer

# What a picture counts as input, and how many characters of English a token has, as OpenAI says.
_PICTURE_TOKENS, _CHARACTERS = 308, 4


def _usage(image_tokens: int, text_tokens: int, output_tokens: int) -> dict[str, Any]:
    return {
        "input_tokens": image_tokens + text_tokens,
        "input_tokens_details": {"image_tokens": image_tokens, "text_tokens": text_tokens},
        "output_tokens": output_tokens,
        "total_tokens": image_tokens + text_tokens + output_tokens,
    }


# The usage of an answer that was written before its request was known.
USAGE = _usage(_PICTURE_TOKENS, 15, 1056)


def usage_of(prompt: str, pictures: int, form: Mapping[str, str]) -> dict[str, Any]:
    """What an edit takes: output tokens by OpenAI's own formula for the form's model, quality and size."""
    price = PriceList().find(form.get("model", ""))
    output_tokens = (
        price.output_tokens_of(EditOptions(quality=form.get("quality"), size=form.get("size"))) if price else None
    )
    if output_tokens is None:  # a model, quality or size of another server
        return USAGE
    return _usage(_PICTURE_TOKENS * pictures, math.ceil(len(prompt) / _CHARACTERS), output_tokens)


def edited(image: bytes, delay: float = 0, usage: Mapping[str, Any] = USAGE) -> Answer:
    """Answer an edit that worked, as the SDK's `ImagesResponse` has it."""
    return images([base64.b64encode(image).decode()], delay, usage)


def images(encoded: list[str] | None, delay: float = 0, usage: Mapping[str, Any] = USAGE) -> Answer:
    """Answer an edit with images that are encoded already, well or not."""
    data = None if encoded is None else [{"b64_json": image} for image in encoded]
    return Answer(body={"created": 1, "data": data, "usage": usage}, delay=delay)


def refused(
    status: int, code: str | None = None, kind: str | None = None, message: str = "No.", **headers: str
) -> Answer:
    """Refuse an edit in the form of OpenAI's API; `Retry_After="5"` is a header."""
    error = {"message": message, "type": kind, "param": None, "code": code}
    return Answer(status, {"error": error}, {name.replace("_", "-"): value for name, value in headers.items()})


_QUOTA = "insufficient_quota"
REFUSALS = {
    # The billing limit in each of its shapes.
    "billing_hard_limit": refused(
        400, "billing_hard_limit_reached", "billing_limit_user_error", "Billing hard limit has been reached."
    ),
    "billing_message": refused(400, None, "invalid_request_error", "Billing hard limit has been reached"),
    "organization_spend_limit": refused(
        429, "organization_spend_limit_exceeded", _QUOTA, "Your organization reached its spend limit."
    ),
    "project_spend_limit": refused(
        429, "project_spend_limit_exceeded", _QUOTA, "Your project reached its spend limit."
    ),
    # Another thing: the account has no credit.
    "insufficient_quota": refused(429, _QUOTA, _QUOTA, "You exceeded your current quota, please check your plan."),
    "rate_limit": refused(429, "rate_limit_exceeded", "requests", "Rate limit reached for images per minute."),
    "moderation": refused(
        400, "moderation_blocked", "image_generation_user_error", "Your request was rejected by the safety system."
    ),
    "invalid_api_key": refused(401, "invalid_api_key", "invalid_request_error", "Incorrect API key provided."),
    "server_error": refused(500, None, "server_error", "The server had an error while processing your request."),
    "unavailable": refused(503, None, "server_error", "The engine is currently overloaded, please try again later."),
}
# Other faults: no answer, or an answer without a sound image. (`wrong_format` depends on the request.)
MISBEHAVIOURS = {
    "hang": Answer(connection="hang"),
    "drop": Answer(connection="drop"),
    "empty": images([]),
    "null_data": images(None),
    "not_base64": images(["!not base64!"]),
    "garbage_image": edited(b"not an image" * 64),
    "wrong_format": None,
}
FAULTS = sorted(REFUSALS.keys() | MISBEHAVIOURS.keys())


@dataclass
class Fault:
    """A rule: how requests fail whose prompt holds `prompt` and whose picture's file name holds `filename`.

    `times` is how often (None: always), `retry_after` a header in seconds (rate_limit), `seconds` how long to hang.
    """

    fault: str
    prompt: str = ""
    filename: str = ""
    times: int | None = None
    retry_after: float | None = None
    seconds: float = 3600

    def __post_init__(self) -> None:
        if self.fault not in FAULTS:
            raise ValueError(f"{self.fault!r} is not a fault: choose one of {', '.join(FAULTS)}")

    def answer(self) -> Answer | None:
        """What is answered whatever the request; None where that depends on it."""
        if misbehaving := MISBEHAVIOURS.get(self.fault):
            return replace(misbehaving, seconds=self.seconds)
        refusal = REFUSALS.get(self.fault)
        headers = {} if self.retry_after is None else {"Retry-After": f"{self.retry_after:g}"}
        return replace(refusal, headers=headers) if refusal else None
