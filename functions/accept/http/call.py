"""Reads an API Gateway event: who calls, and what is sent, read by the route's model."""

import hmac
import re
import time
from base64 import b64decode
from binascii import Error as Base64Error
from codecs import BOM_UTF8
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent
from pydantic import BaseModel, ValidationError

from functions.accept.http.headers import CORRELATION_ID, CORRELATION_ID_PATTERN, PREFER, WORKSHOP_TOKEN
from functions.accept.http.problems import InvalidRequestError, UnauthorizedError
from functions.accept.http.requests import OpenRequest
from functions.accept.resources import AcceptResources
from functions.accept.settings import AcceptSecrets, AcceptSettings
from imagejobs.job_request import EVERYONE

type Answer = Response[str]


@dataclass(frozen=True)
class Call[R: OpenRequest]:
    """One call of a route: what was sent, as plain values, and what the handler works with."""

    sent: R
    resources: AcceptResources
    # The caller's own, or the one that was made for it.
    correlation_id: str
    # Who calls, as `JobRequest.caller` has it.
    caller: str
    base_url: str
    # By `time.monotonic`: what a caller waits is counted from here.
    began: float = field(default_factory=time.monotonic)

    def url_of(self, path: str) -> str:
        """The URL of another path of this API."""
        return f"{self.base_url}{path}"


def answer(status: HTTPStatus, body: BaseModel, headers: dict[str, str] | None = None) -> Answer:
    """An answer in JSON; absent fields are left out."""
    return Response(
        status_code=int(status),
        content_type="application/json",
        body=f"{body.model_dump_json(exclude_none=True)}\n",  # a shell's prompt stands on a line of its own then
        headers=dict(headers or {}),
    )


def read_request[R: OpenRequest](
    model: type[R], event: APIGatewayProxyEvent, path: dict[str, str], settings: AcceptSettings
) -> R:
    """Read what was sent; raises InvalidRequestError with everything that is wrong with any part of it."""
    # An empty parameter of the query is as good as none, like an empty header.
    query = {name: value for name, value in (event.query_string_parameters or {}).items() if value}
    parts: dict[str, Any] = {"header": _headers(event), "path": path, "query": query}
    if "body" in model.model_fields:
        parts["body"] = _raw_body(event)
    return read_parts(model, parts, settings)


def read_parts[R: OpenRequest](model: type[R], parts: dict[str, Any], settings: AcceptSettings) -> R:
    """Read a request's parts: header, path and query by name, the body as JSON; raises InvalidRequestError."""
    try:
        return model.model_validate(parts, context=settings)
    except ValidationError as error:
        raise InvalidRequestError.of(error) from None


def _headers(event: APIGatewayProxyEvent) -> dict[str, str]:
    """The headers; Prefer, which may come in several lines, in one (RFC 7240, section 2)."""
    lines = [", ".join(of) for name, of in event.multi_value_headers.items() if name.lower() == PREFER.lower()]
    return {**event.headers, **({PREFER.lower(): ", ".join(lines)} if lines else {})}


def _raw_body(event: APIGatewayProxyEvent) -> bytes:
    body = event.body or ""
    if not event.is_base64_encoded:
        # A lone surrogate can stand in an event's JSON, but never in a body's UTF-8: pydantic refuses it then.
        sent = body.encode(errors="surrogatepass")
    else:
        try:
            sent = b64decode(body)
        except Base64Error:
            raise InvalidRequestError.at("body", msg="expected a JSON object in UTF-8", kind="json_invalid") from None
    # "Implementations that parse JSON texts MAY ignore the presence of a byte order mark" (RFC 8259, section 8.1).
    return sent.removeprefix(BOM_UTF8)


def correlation_id_of(event: APIGatewayProxyEvent) -> tuple[str, str | None]:
    """The caller's correlation id; or a new one, with the caller's own where it has one that cannot be used.

    It is a label for logs and callbacks: no job is refused for it.
    """
    given = event.headers.get(CORRELATION_ID)
    if not given:
        return str(uuid4()), None
    return (given, None) if re.fullmatch(CORRELATION_ID_PATTERN, given) else (str(uuid4()), given)


def require_token(event: APIGatewayProxyEvent, secrets: AcceptSecrets) -> None:
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
    """Who calls: whom the bearer token stands for, the API key, or everyone. The workshop token's callers share one.

    API Gateway tells both, and only where it has checked them ("API Gateway mapping template and access logging
    variable reference", developer guide): nothing that a caller sends says who it is.
    """
    context = event.request_context
    if caller := context.authorizer.get("caller"):
        return str(caller)
    return f"key:{context.identity.api_key_id}" if context.identity.api_key_id else EVERYONE


def base_url_of(event: APIGatewayProxyEvent) -> str:
    """The API's URL, on the host and below the stage or base path that were called; without a slash at its end.

    API Gateway speaks https alone, on names without a port ("Input format of a Lambda function for proxy integration",
    developer guide); only an emulator has one, and speaks http. A header of the caller's decides nothing here.
    """
    context = event.request_context
    base = (context.path or "").removesuffix(event.path)
    scheme = "http" if ":" in (context.domain_name or "") else "https"
    return f"{scheme}://{context.domain_name}{base}"
