"""Reads an API Gateway event: headers, token, path and body, each refused with the contract's answer."""

import hmac
import re
from base64 import b64decode
from binascii import Error as Base64Error
from dataclasses import dataclass
from hashlib import sha256

from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent
from pydantic import BaseModel, ValidationError

from functions.accept.problems import InvalidRequestError, UnauthorizedError
from imagejobs.api import CORRELATION_ID_PATTERN, IDEMPOTENCY_KEY_PATTERN, JOB_ID_PATTERN
from imagejobs.secrets import Secrets


@dataclass(frozen=True)
class Call:
    """One request of a caller; `correlation_id` is the caller's own or the one made for it."""

    event: APIGatewayProxyEvent
    correlation_id: str

    def header(self, name: str) -> str | None:
        """A header's value, whatever the case of its name; None when absent."""
        value: str | None = self.event.headers.get(name)
        return value

    @property
    def callback_url(self) -> str:
        """The required header `callbackUrl`."""
        url = (self.header("callbackUrl") or "").strip()
        if not url:
            raise InvalidRequestError.at(
                "header",
                "callbackUrl",
                msg="Field required: the URL that the result is to be posted to",
                kind="missing",
            )
        return url

    @property
    def idempotency_key(self) -> str | None:
        """The header `Idempotency-Key`."""
        key = self.header("Idempotency-Key")
        if key is not None and not re.fullmatch(IDEMPOTENCY_KEY_PATTERN, key):
            raise InvalidRequestError.at(
                "header", "Idempotency-Key", msg="expected 1 to 255 visible ASCII characters, no spaces"
            )
        return key

    @property
    def caller(self) -> str:
        """A digest that tells callers apart, by API key and token: two callers' Idempotency-Keys never meet."""
        api_key = self.event.request_context.identity.api_key or ""
        return sha256(f"{api_key}\n{self.header('x-workshop-token') or ''}".encode()).hexdigest()

    def require_token(self, secrets: Secrets) -> None:
        """Refuse a caller without the workshop token, where one is set."""
        expected = secrets.workshop_token.get_secret_value()
        given = self.header("x-workshop-token")
        if expected and not hmac.compare_digest((given or "").encode(), expected.encode()):
            problem = "is wrong" if given else "is missing"
            raise UnauthorizedError(
                f"the header x-workshop-token {problem}: send the token you were given",
                {"WWW-Authenticate": "x-workshop-token"},  # RFC 9110, 15.5.2: a 401 names how to authenticate
            )

    def body[M: BaseModel](self, model: type[M]) -> M:
        """The JSON body as a model."""
        try:
            return model.model_validate_json(self._raw_body())
        except ValidationError as error:
            raise InvalidRequestError.of_body(error) from None

    def _raw_body(self) -> bytes:
        body = self.event.body or ""
        if not self.event.is_base64_encoded:
            # A lone surrogate can stand in an event's JSON, but never in a body's UTF-8: pydantic refuses it then.
            return body.encode(errors="surrogatepass")
        try:
            return b64decode(body)
        except Base64Error:
            raise InvalidRequestError.at("body", msg="expected a JSON object in UTF-8", kind="json_invalid") from None

    def url_of(self, path: str) -> str:
        """The URL of another path of this API, on the host and below the stage or base path by which it was called."""
        context = self.event.request_context
        base = (context.path or "").removesuffix(self.event.path)
        return f"{self.header('X-Forwarded-Proto') or 'https'}://{context.domain_name}{base}{path}"


def given_correlation_id(event: APIGatewayProxyEvent) -> str | None:
    """The header `x-correlation-id`; None when absent."""
    given: str | None = event.headers.get("x-correlation-id")
    if given is not None and not re.fullmatch(CORRELATION_ID_PATTERN, given):
        raise InvalidRequestError.at(
            "header", "x-correlation-id", msg="expected 1 to 128 letters, digits or characters of . _ : / + = -"
        )
    return given


def job_id_from(path_segment: str) -> str:
    """A job id of a path, in its canonical form."""
    if not re.fullmatch(JOB_ID_PATTERN, path_segment.lower()):
        raise InvalidRequestError.at(
            "path", "job_id", msg="expected a UUID, as the 202 answer gave it", kind="uuid_parsing"
        )
    return path_segment.lower()
