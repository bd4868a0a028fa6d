"""How the OpenAI stand-in can fail: refusals in the form of OpenAI's API, and answers that are none or no good."""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

_BILLING = "Billing hard limit has been reached."


@dataclass(frozen=True)
class Refusal:
    """An error answer in the form of OpenAI's API."""

    status: int
    type: str
    code: str | None
    message: str

    def body(self) -> dict[str, Any]:
        return {"error": {"message": self.message, "type": self.type, "param": None, "code": self.code}}


REFUSALS = {
    # The billing limit in each of its shapes.
    "billing_hard_limit": Refusal(400, "billing_limit_user_error", "billing_hard_limit_reached", _BILLING),
    "billing_message": Refusal(400, "invalid_request_error", None, "Billing hard limit has been reached"),
    "organization_spend_limit": Refusal(
        429, "insufficient_quota", "organization_spend_limit_exceeded", "Your organization reached its spend limit."
    ),
    "project_spend_limit": Refusal(
        429, "insufficient_quota", "project_spend_limit_exceeded", "Your project reached its spend limit."
    ),
    # Which this is not: the account has no credit.
    "insufficient_quota": Refusal(
        429, "insufficient_quota", "insufficient_quota", "You exceeded your current quota, please check your plan."
    ),
    "rate_limit": Refusal(429, "requests", "rate_limit_exceeded", "Rate limit reached for images per minute."),
    "moderation": Refusal(
        400, "image_generation_user_error", "moderation_blocked", "Your request was rejected by the safety system."
    ),
    "invalid_api_key": Refusal(401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    "server_error": Refusal(500, "server_error", None, "The server had an error while processing your request."),
    "unavailable": Refusal(503, "server_error", None, "The engine is currently overloaded, please try again later."),
}
# Faults that are no answer, or an answer that is no good.
MISBEHAVIOURS = {"hang", "drop", "empty", "null_data", "garbage_image", "not_base64", "wrong_format"}
FAULTS = sorted(REFUSALS.keys() | MISBEHAVIOURS)


class Fault(BaseModel):
    """A rule: how requests fail whose prompt holds `prompt` and whose picture's file name holds `filename`.

    `times` is how often (None: always), `retry_after` a header in seconds (rate_limit), `seconds` how long to hang.
    """

    model_config = ConfigDict(extra="forbid")

    fault: Annotated[str, Field(pattern=f"^({'|'.join(FAULTS)})$")]
    prompt: str = ""
    filename: str = ""
    times: Annotated[int, Field(ge=1)] | None = None
    retry_after: float | None = None
    seconds: float = 3600
