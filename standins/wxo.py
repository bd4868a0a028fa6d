"""A stand-in for watsonx Orchestrate: calls a tool from its OpenAPI document alone, as strict about callbacks as WXO.

What it takes over from WXO: the document is read as the development kit's importer reads it (the success code is the
operation's first 2xx; the first callback counts; the header `callbackUrl` is the runtime's and no input of an agent);
a callback with an undeclared, missing or mistyped field is answered 400. An operation without callbacks is a
synchronous tool. Files have addresses that tell their name, type and size in headers, as WXO's own do.
"""

import json
import queue
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import uuid4

import httpx2
from jsonschema import Draft4Validator
from werkzeug import Request, Response

from standins.server import Server, json_response

type Json = dict[str, Any]


@dataclass(frozen=True)
class Tool:
    """One operation, as imported. The schemas are of its arguments, its answer, and of the callback if it has one.

    `places` says where each argument goes that is not a field of the body: path or query.
    """

    name: str
    method: str
    url: str
    success: int
    request: Json
    answer: Json
    callback: Json | None
    places: dict[str, str]
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
    success = next(int(code) for code in operation["responses"] if code.startswith("2"))
    asked = [one for one in operation["parameters"] if one["in"] != "header"]
    return Tool(
        name=operation["operationId"],
        method=method.upper(),
        url=url,
        success=success,
        request=_arguments(asked, operation.get("requestBody")),
        answer=_schema(operation["responses"][str(success)]),
        callback=_callback(operation, success) if "callbacks" in operation else None,
        places={one["name"]: one["in"] for one in asked},
        key_header=key_header,
    )


def _arguments(parameters: list[Json], body: Json | None) -> Json:
    schema: Json = _schema(body) if body else {"type": "object", "properties": {}}
    properties = schema["properties"] | {one["name"]: one["schema"] for one in parameters}
    required = [*schema.get("required", []), *(one["name"] for one in parameters if one["required"])]
    return schema | {"properties": properties} | ({"required": required} if required else {})


def _callback(operation: Json, success: int) -> Json:
    headers = [one["name"] for one in operation["parameters"] if one["in"] == "header" and one["required"]]
    if "callbackUrl" not in headers:
        raise ValueError(f"{operation['operationId']}: no required header parameter spelled callbackUrl")
    ((expression, callback_item),) = next(iter(operation["callbacks"].values())).items()
    if expression != "{$request.header.callbackUrl}":
        raise ValueError(f"{operation['operationId']}: the callback goes to {expression}")
    ((callback_method, callback),) = callback_item.items()
    if callback_method != "post" or str(success) not in callback["responses"]:
        raise ValueError(f"{operation['operationId']}: no answer {success} of a posted callback is declared")
    return _schema(callback["requestBody"])


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

    def __init__(self, *documents: Json, api_key: str | None = None) -> None:
        self.tools = {name: tool for document in documents for name, tool in import_tools(document).items()}
        self._api_key = api_key
        self._waiting: dict[str, tuple[Tool, queue.Queue[tuple[dict[str, str], Json | ValueError]]]] = {}
        self._files: dict[str, tuple[str, str, bytes]] = {}
        super().__init__()

    def keep_file(self, name: str, content_type: str, content: bytes) -> str:
        """Keep a file, as an upload form or a tool gives it; its URL."""
        path = f"/files/{uuid4()}/{name}"
        self._files[path] = (name, content_type, content)
        return f"{self.base_url}{path}"

    def file(self, url: str) -> bytes:
        """The bytes of a kept file."""
        return self._files[urlsplit(url).path][2]

    def call(self, name: str, timeout: float = 60, **arguments: Any) -> Result:
        """Call an asynchronous tool with an agent's arguments and wait for its callback.

        Raises:
            ValueError: the arguments, the acknowledgement or the callback do not have the schema.
            TimeoutError: no callback came in time.
        """
        tool = self.tools[name]
        path = f"/callbacks/{uuid4()}"
        _, arrived = self._waiting[path] = (tool, queue.Queue())
        acknowledgement = self._send(tool, arguments, {"callbackUrl": f"{self.base_url}{path}"})
        try:
            callback_headers, callback = arrived.get(timeout=timeout)
        except queue.Empty:
            raise TimeoutError(f"no callback of {name} within {timeout:g} s: the flow would hang") from None
        if isinstance(callback, ValueError):
            raise callback
        return Result(acknowledgement, callback, callback_headers)

    def ask(self, name: str, **arguments: Any) -> Json:
        """Call a synchronous tool with an agent's arguments; its answer.

        Raises:
            ValueError: the arguments or the answer do not have the schema.
        """
        return self._send(self.tools[name], arguments, {})

    def _send(self, tool: Tool, arguments: Json, headers: dict[str, str]) -> Json:
        _check(arguments, tool.request, f"the arguments of {tool.name}")
        if tool.key_header and self._api_key:
            headers[tool.key_header] = self._api_key
        url = tool.url
        for name in [name for name, place in tool.places.items() if place == "path"]:
            url = url.replace(f"{{{name}}}", quote(arguments[name], safe=""))
        query = {name: arguments[name] for name, place in tool.places.items() if place == "query" and name in arguments}
        body = {name: value for name, value in arguments.items() if name not in tool.places}
        sent = httpx2.request(tool.method, url, params=query, headers=headers, json=body or None, timeout=30)
        if sent.status_code != tool.success:
            raise ValueError(f"{tool.name} answered {sent.status_code} instead of {tool.success}: {sent.text[:500]}")
        answer: Json = sent.json()
        _check(answer, tool.answer, f"the {'acknowledgement' if tool.callback else 'answer'} of {tool.name}")
        return answer

    def answer(self, request: Request) -> Response:
        """Take a callback, or give a file."""
        if request.path in self._files:
            return self._give(request.path)
        tool, arrived = self._waiting.get(request.path, (None, None))
        if tool is None or tool.callback is None or arrived is None:
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

    def _give(self, path: str) -> Response:
        name, content_type, content = self._files[path]
        told = {"filename": quote(name), "filename-encode-method": "urlencode", "size": str(len(content))}
        told["content-type"] = content_type
        return Response(content, headers={f"x-amz-meta-{key}": value for key, value in told.items()})


def _check(value: Any, schema: Json, what: str) -> None:
    """Refuse what does not have the schema. (OpenAPI 3.0's schemas are nearest to JSON Schema's draft 4.)"""
    problems = [f"{error.json_path}: {error.message[:200]}" for error in Draft4Validator(schema).iter_errors(value)]
    if problems:
        raise ValueError(f"{what} do not have the declared schema: {'; '.join(problems)}")
