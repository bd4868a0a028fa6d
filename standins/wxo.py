"""A stand-in for watsonx Orchestrate: calls a tool from its OpenAPI document alone, as strict about callbacks as WXO.

What it takes over from WXO: the document is read as the development kit's importer reads it (the success code is the
operation's first 2xx; the first callback counts; the header `callbackUrl` is the runtime's and no input of an agent);
a callback with an undeclared, missing or mistyped field is answered 400.
"""

import json
import queue
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx2
from jsonschema import Draft4Validator
from werkzeug import Request, Response

from standins.server import Server, json_response

type Json = dict[str, Any]


@dataclass(frozen=True)
class Tool:
    """One operation, as imported. The schemas are of the request's body, the acknowledgement and the callback."""

    name: str
    method: str
    url: str
    success: int
    request: Json
    acknowledgement: Json
    callback: Json
    key_header: str | None


def import_tools(document: Json) -> dict[str, Tool]:
    """The tools of a document, by name.

    Raises:
        ValueError: what WXO needs is missing.
    """
    if not str(document["openapi"]).startswith("3.0."):
        raise ValueError(f"OpenAPI {document['openapi']}: WXO takes 3.0 alone")
    (server,) = document["servers"]
    schemes = document.get("components", {}).get("securitySchemes", {})
    (security,) = document.get("security") or [{}]
    key_header = next((schemes[name]["name"] for name in security), None)
    tools = {}
    for path, item in document["paths"].items():
        for method, operation in item.items():
            tool = _import_operation(method, server["url"] + path, operation, key_header)
            tools[tool.name] = tool
    return tools


def _import_operation(method: str, url: str, operation: Json, key_header: str | None) -> Tool:
    headers = [one["name"] for one in operation["parameters"] if one["in"] == "header" and one["required"]]
    if "callbackUrl" not in headers:
        raise ValueError(f"{operation['operationId']}: no required header parameter spelled callbackUrl")
    success = next(int(code) for code in operation["responses"] if code.startswith("2"))
    ((expression, callback_item),) = next(iter(operation["callbacks"].values())).items()
    if expression != "{$request.header.callbackUrl}":
        raise ValueError(f"{operation['operationId']}: the callback goes to {expression}")
    ((callback_method, callback),) = callback_item.items()
    if callback_method != "post" or str(success) not in callback["responses"]:
        raise ValueError(f"{operation['operationId']}: no answer {success} of a posted callback is declared")
    return Tool(
        name=operation["operationId"],
        method=method.upper(),
        url=url,
        success=success,
        request=_schema(operation["requestBody"]),
        acknowledgement=_schema(operation["responses"][str(success)]),
        callback=_schema(callback["requestBody"]),
        key_header=key_header,
    )


def _schema(part: Json) -> Json:
    schema: Json = part["content"]["application/json"]["schema"]
    return schema


@dataclass(frozen=True)
class Result:
    """What a call came to: both answers, and the callback's headers (names in lower case)."""

    acknowledgement: Json
    callback: Json
    headers: dict[str, str]


class WxoStandIn(Server):
    """Calls tools and receives their callbacks on a port of 127.0.0.1; a context manager."""

    def __init__(self, document: Json, api_key: str | None = None) -> None:
        self.tools = import_tools(document)
        self._api_key = api_key
        self._waiting: dict[str, tuple[Tool, queue.Queue[tuple[dict[str, str], Json | ValueError]]]] = {}
        super().__init__()

    def call(self, name: str, timeout: float = 60, **arguments: Any) -> Result:
        """Call a tool with an agent's arguments and wait for its callback.

        Raises:
            ValueError: the arguments, the acknowledgement or the callback do not have the schema.
            TimeoutError: no callback came in time.
        """
        tool = self.tools[name]
        _check(arguments, tool.request, f"the arguments of {name}")
        path = f"/callbacks/{uuid4()}"
        _, arrived = self._waiting[path] = (tool, queue.Queue())
        headers = {"callbackUrl": f"{self.base_url}{path}"}
        if tool.key_header and self._api_key:
            headers[tool.key_header] = self._api_key
        answer = httpx2.request(tool.method, tool.url, json=arguments, headers=headers, timeout=30)
        if answer.status_code != tool.success:
            raise ValueError(f"{name} answered {answer.status_code} instead of {tool.success}: {answer.text[:500]}")
        acknowledgement: Json = answer.json()
        _check(acknowledgement, tool.acknowledgement, f"the acknowledgement of {name}")
        try:
            callback_headers, callback = arrived.get(timeout=timeout)
        except queue.Empty:
            raise TimeoutError(f"no callback of {name} within {timeout:g} s: the flow would hang") from None
        if isinstance(callback, ValueError):
            raise callback
        return Result(acknowledgement, callback, callback_headers)

    def answer(self, request: Request) -> Response:
        """Take a callback."""
        tool, arrived = self._waiting.get(request.path, (None, None))
        if tool is None or arrived is None:
            return Response("nobody waits here", 404)
        headers = {name.lower(): value for name, value in request.headers.items()}
        try:
            if request.mimetype != "application/json":
                raise ValueError(f"the callback is {request.mimetype}, not application/json")
            callback = json.loads(request.get_data())
            _check(callback, tool.callback, f"the callback of {tool.name}")
        except ValueError as error:
            arrived.put((headers, error))
            return Response(str(error), 400)
        arrived.put((headers, callback))
        return json_response({}, tool.success)


def _check(value: Any, schema: Json, what: str) -> None:
    """Refuse what does not have the schema. (OpenAPI 3.0's schemas are nearest to JSON Schema's draft 4.)"""
    problems = [f"{error.json_path}: {error.message[:200]}" for error in Draft4Validator(schema).iter_errors(value)]
    if problems:
        raise ValueError(f"{what} do not have the declared schema: {'; '.join(problems)}")
