"""Bridge of API Gateway: what is too large for a Lambda function.

| on AWS                                                             | ministack 1.5.33                      |
|--------------------------------------------------------------------|---------------------------------------|
| a request over 10 MB, or whose event is over Lambda's 6 MB, is the | both reach the function               |
| gateway response REQUEST_TOO_LARGE (413)                           |                                       |

Sources: API Gateway developer guide, "Quotas for configuring and running a REST API" (payload size: 10 MB) and
"Gateway response types" (REQUEST_TOO_LARGE).
"""

import json
from typing import Any

from ministack.services import apigateway_v1

from local.bridges.functions import MAX_PAYLOAD

MAX_REQUEST = 10 * 1024 * 1024

_call_lambda = apigateway_v1._call_lambda_raw
_invoke_proxy = apigateway_v1._invoke_lambda_proxy_v1


def apply() -> None:
    """Put this bridge in place."""
    apigateway_v1._call_lambda_raw = call_lambda
    apigateway_v1._invoke_lambda_proxy_v1 = invoke_proxy


class _EventTooLargeError(Exception):
    pass


async def call_lambda(function: str, event: Any, **options: Any) -> Any:
    """Invoke a function, unless the event is too large for it."""
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
