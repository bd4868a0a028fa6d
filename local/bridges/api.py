"""Bridges of API Gateway: what an OpenAPI document brings along, and what is too large for a Lambda function.

| on AWS                                                             | ministack 1.5.33                      |
|--------------------------------------------------------------------|---------------------------------------|
| an imported document's x-amazon-apigateway-any-method and          | both are left out                     |
| x-amazon-apigateway-gateway-responses take effect                  |                                       |
| a request over 10 MB, or whose event is over Lambda's 6 MB, is the | both reach the function               |
| gateway response REQUEST_TOO_LARGE (413)                           |                                       |
| an event's domainName, path and X-Forwarded-Proto tell by what URL | a path with the stage alone           |
| the API was called                                                 |                                       |
| an event's identity tells the API key, and its id, of a method     | neither                               |
| that asks for one                                                  |                                       |
| a function that is throttled or fails makes a gateway response     | 429 or 502 with the function's error  |
| ("Internal server error"), which the document's ones can change    |                                       |
| an API keeps its id, which is in its address, for as long as its   | another id at each start of the       |
| stack is there                                                     | emulator, which forgets its stacks    |

Sources: API Gateway developer guide, "OpenAPI extensions for API Gateway", "Quotas for configuring and running a REST
API" (payload size: 10 MB), "Gateway response types" (REQUEST_TOO_LARGE, INTEGRATION_FAILURE, DEFAULT_5XX), "Input
format of a Lambda function for proxy integration" and "API Gateway mapping template and access logging variable
reference" ($context.identity.apiKeyId); Lambda developer guide, "Handling Lambda errors with an API Gateway API".
"""

import hashlib
import json
from typing import Any

from ministack.services import apigateway_v1

from local.bridges.environments import MAX_PAYLOAD

MAX_REQUEST = 10 * 1024 * 1024

_TOO_LARGE = ("REQUEST_TOO_LARGE", "Request Too Long")
_ANY = "x-amazon-apigateway-any-method"
_RESPONSES = "x-amazon-apigateway-gateway-responses"

_import_rest_api = apigateway_v1._import_rest_api
_call_lambda = apigateway_v1._call_lambda_raw
_invoke_proxy = apigateway_v1._invoke_lambda_proxy_v1
_proxy_response = apigateway_v1._lambda_proxy_response


def apply() -> None:
    """Put these bridges in place."""
    apigateway_v1._OPENAPI_HTTP_METHODS.add("any")
    apigateway_v1._import_rest_api = import_rest_api
    apigateway_v1._call_lambda_raw = call_lambda
    apigateway_v1._invoke_lambda_proxy_v1 = invoke_proxy
    apigateway_v1._lambda_proxy_response = proxy_response


def import_rest_api(document: dict[str, Any], base: dict[str, Any] | None = None) -> str:
    """Make a REST API of an OpenAPI document; returns its id."""
    paths = {
        path: {"any" if method == _ANY else method: operation for method, operation in item.items()}
        for path, item in document.get("paths", {}).items()
    }
    api_id: str = _import_rest_api({**document, "paths": paths}, _with_id(document, base or {}))
    for kind, response in document.get(_RESPONSES, {}).items():
        status, _, body = apigateway_v1._put_gateway_response(api_id, kind, response)
        if status >= 400:
            raise ValueError(f"gateway response {kind}: {body!r}")
    return api_id


def _with_id(document: dict[str, Any], base: dict[str, Any]) -> dict[str, Any]:
    """Have an API's id made of its name, if no other has it, so that its address outlasts the emulator."""
    name = base.get("name") or document.get("info", {}).get("title", "")
    api_id = hashlib.sha256(name.encode()).hexdigest()[:10]
    if api_id in apigateway_v1._rest_apis:
        return base
    return {**base, "tags": {**base.get("tags", {}), "ms-custom-id": api_id}}


class _GatewayResponseError(Exception):
    """API Gateway answers by itself; the arguments are the kind of its response and the text."""


async def call_lambda(function: str, event: Any, **options: Any) -> Any:
    """Invoke a function with an event that tells the URL it was called by, unless it is too large."""
    context = event.get("requestContext", {})
    if "apiId" in context and "domainName" not in context:
        host = next(value for name, value in event["headers"].items() if name.lower() == "host")
        stage = f"/restapis/{context['apiId']}/{context['stage']}/_user_request_"
        context |= {"domainName": host, "path": f"{stage}{event['path']}"}
        event["headers"]["X-Forwarded-Proto"] = "http"
    if len(json.dumps(event)) > MAX_PAYLOAD:
        raise _GatewayResponseError(*_TOO_LARGE)
    return await _call_lambda(function, event, **options)


def proxy_response(result: dict[str, Any]) -> Any:
    """A function's answer, for API Gateway to pass on."""
    if result.get("throttle"):
        raise _GatewayResponseError("INTEGRATION_FAILURE", "Internal server error")
    if result.get("error"):
        raise _GatewayResponseError("DEFAULT_5XX", "Internal server error")
    return _proxy_response(result)


async def invoke_proxy(*arguments: Any, **options: Any) -> Any:
    """Answer a request by a function's proxy integration."""
    _, api_id, stage, _, resource, _, method, headers, body, *_ = arguments
    if len(body or b"") > MAX_REQUEST:
        return apigateway_v1._gw_error(*_TOO_LARGE)
    methods = resource["resourceMethods"]
    _, key = apigateway_v1._check_api_key(methods.get(method) or methods["ANY"], api_id, stage, headers)
    if key:
        options["caller_identity"] = {"apiKey": key["value"], "apiKeyId": key["id"]}
    try:
        return await _invoke_proxy(*arguments, **options)
    except _GatewayResponseError as error:
        return apigateway_v1._gw_error(*error.args)
