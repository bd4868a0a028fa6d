"""Bridges of API Gateway.

| on AWS                                                             | ministack 1.5.33                      |
|--------------------------------------------------------------------|---------------------------------------|
| a request over 10 MB, or whose event is over Lambda's 6 MB, is the | both reach the function               |
| gateway response REQUEST_TOO_LARGE (413)                           |                                       |
| an imported `x-amazon-apigateway-any-method` is a method ANY       | left out                              |
| imported `x-amazon-apigateway-gateway-responses` take effect       | left out                              |
| an event's `domainName`, `path` and X-Forwarded-Proto tell by what | neither, but for a path with the      |
| URL the API was called                                             | stage alone                           |

Sources: API Gateway developer guide, "Quotas for configuring and running a REST API" (payload size: 10 MB), "Gateway
response types" (REQUEST_TOO_LARGE), "OpenAPI extensions for API Gateway" and "Input format of a Lambda function for
proxy integration".
"""

import json
from typing import Any

from ministack.services import apigateway_v1

from local.bridges.functions import MAX_PAYLOAD

MAX_REQUEST = 10 * 1024 * 1024

_ANY_METHOD = "x-amazon-apigateway-any-method"
_GATEWAY_RESPONSES = "x-amazon-apigateway-gateway-responses"

_call_lambda = apigateway_v1._call_lambda_raw
_import_operation = apigateway_v1._import_operation
_import_rest_api = apigateway_v1._import_rest_api
_invoke_proxy = apigateway_v1._invoke_lambda_proxy_v1


def apply() -> None:
    """Put this bridge in place."""
    apigateway_v1._call_lambda_raw = call_lambda
    apigateway_v1._import_operation = import_operation
    apigateway_v1._import_rest_api = import_rest_api
    apigateway_v1._invoke_lambda_proxy_v1 = invoke_proxy
    apigateway_v1._OPENAPI_HTTP_METHODS.add(_ANY_METHOD)


class _EventTooLargeError(Exception):
    pass


async def call_lambda(function: str, event: Any, **options: Any) -> Any:
    """Invoke a function with an event that tells the URL it was called by, unless it is too large."""
    context = event.get("requestContext", {})
    if "apiId" in context and "domainName" not in context:
        stage = f"/restapis/{context['apiId']}/{context['stage']}/_user_request_"
        host = next(value for name, value in event["headers"].items() if name.lower() == "host")
        context |= {"domainName": host, "path": f"{stage}{event['path']}"}
        event["headers"]["X-Forwarded-Proto"] = "http"
    if len(json.dumps(event)) > MAX_PAYLOAD:
        raise _EventTooLargeError
    return await _call_lambda(function, event, **options)


async def invoke_proxy(*arguments: Any, **options: Any) -> Any:
    """Answer a request by a function's proxy integration."""
    body = arguments[8]
    try:
        if len(body or b"") > MAX_REQUEST:
            raise _EventTooLargeError
        return await _invoke_proxy(*arguments, **options)
    except _EventTooLargeError:
        return apigateway_v1._gw_error("REQUEST_TOO_LARGE", "Request Too Long")


def import_operation(api_id: str, resource_id: str, method: str, *rest: Any) -> None:
    """Import one operation of an OpenAPI document, one for any method as such."""
    _import_operation(api_id, resource_id, "ANY" if method == _ANY_METHOD.upper() else method, *rest)


def import_rest_api(document: dict[str, Any], base: dict[str, Any] | None = None) -> Any:
    """Import an OpenAPI document, its gateway responses too."""
    api_id = _import_rest_api(document, base)
    for kind, response in document.get(_GATEWAY_RESPONSES, {}).items():
        status = response.get("statusCode")
        wanted = {
            "responseParameters": response.get("responseParameters") or {},
            "responseTemplates": response.get("responseTemplates") or {},
            **({"statusCode": str(status)} if status else {}),
        }
        apigateway_v1._put_gateway_response(api_id, kind, wanted)
    return api_id
