"""Reads an API Gateway event: who calls, and what is sent, read by the route's model."""

import hmac
import re
from base64 import b64decode
from binascii import Error as Base64Error
from dataclasses import dataclass
from hashlib import sha256
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent
from pydantic import BaseModel, ValidationError

from functions.accept.http.headers import CORRELATION_ID, CORRELATION_ID_PATTERN, WORKSHOP_TOKEN
from functions.accept.http.problems import InvalidRequestError, UnauthorizedError
from functions.accept.http.requests import OpenRequest
from functions.accept.resources import AcceptResources
from functions.accept.settings import AcceptSettings
from imagejobs.secrets import Secrets

type Answer = Response[str]


@dataclass(frozen=True)
class Call[R: OpenRequest]:
    """One call of a route: what was sent, as plain values, and what the handler works with."""

    sent: R
    resources: AcceptResources
    # The caller's own, or the one that was made for it.
    correlation_id: str
    # A digest that tells callers apart, so that the Idempotency-Keys of two callers never meet.
    caller: str
    base_url: str

    def url_of(self, path: str) -> str:
        """The URL of another path of this API."""
        return f"{self.base_url}{path}"


def answer(status: HTTPStatus, body: BaseModel, headers: dict[str, str] | None = None) -> Answer:
    """An answer in JSON; absent fields are left out."""
    return Response(
        status_code=int(status),
        content_type="application/json",
        body=body.model_dump_json(exclude_none=True),
        headers=dict(headers or {}),
    )


def read_request[R: OpenRequest](
    model: type[R], event: APIGatewayProxyEvent, path: dict[str, str], settings: AcceptSettings
) -> R:
    """Read what was sent; raises InvalidRequestError with everything that is wrong with any part of it."""
    parts: dict[str, Any] = {"header": event.headers, "path": path, "query": event.query_string_parameters or {}}
    if "body" in model.model_fields:
        parts["body"] = _raw_body(event)
    try:
        return model.model_validate(parts, context=settings)
    except ValidationError as error:
        raise InvalidRequestError.of(error) from None


def _raw_body(event: APIGatewayProxyEvent) -> bytes:
    body = event.body or ""
    if not event.is_base64_encoded:
        # A lone surrogate can stand in an event's JSON, but never in a body's UTF-8: pydantic refuses it then.
        return body.encode(errors="surrogatepass")
    try:
        return b64decode(body)
    except Base64Error:
        raise InvalidRequestError.at("body", msg="expected a JSON object in UTF-8", kind="json_invalid") from None


def correlation_id_of(event: APIGatewayProxyEvent) -> str:
    """The caller's correlation id, or a new one where there is none that can be used."""
    given = event.headers.get(CORRELATION_ID)
    return given if given and re.fullmatch(CORRELATION_ID_PATTERN, given) else str(uuid4())


def require_token(event: APIGatewayProxyEvent, secrets: Secrets) -> None:
    """Refuse a caller without the workshop token, where one is set."""
    expected = secrets.workshop_token.get_secret_value()
    given = event.headers.get(WORKSHOP_TOKEN)
    if expected and not hmac.compare_digest((given or "").encode(), expected.encode()):
        problem = "is wrong" if given else "is missing"
        raise UnauthorizedError(
            f"the header {WORKSHOP_TOKEN} {problem}: send the token you were given",
            {"WWW-Authenticate": WORKSHOP_TOKEN},  # RFC 9110, 15.5.2: a 401 names how to authenticate
        )


def caller_of(event: APIGatewayProxyEvent) -> str:
    """A digest of what a caller shows: its API key, its workshop token, and whom its bearer token stands for."""
    shown = [event.request_context.identity.api_key or "", event.headers.get(WORKSHOP_TOKEN) or ""]
    if owner := event.request_context.authorizer.get("owner"):
        shown.append(owner)
    return sha256("\n".join(shown).encode()).hexdigest()


def base_url_of(event: APIGatewayProxyEvent) -> str:
    """The API's URL, on the host and below the stage or base path that were called; without a slash at its end."""
    context = event.request_context
    base = (context.path or "").removesuffix(event.path)
    return f"{event.headers.get('X-Forwarded-Proto') or 'https'}://{context.domain_name}{base}"
