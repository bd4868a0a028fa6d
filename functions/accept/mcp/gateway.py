"""The tools as an OpenAPI document, with what Amazon Bedrock AgentCore Gateway supports of OpenAPI and no more.

Its limits are told in "OpenAPI schema targets" of the developer guide; similar importers take such a document too.
"""

from collections.abc import Sequence
from typing import Any

from functions.accept.http.openapi import document_of
from functions.accept.http.route import Route
from functions.accept.http.schemas import Json
from functions.accept.mcp.schemas import answer_schemas, arguments_of, object_schema, route_of
from functions.accept.mcp.tools import TOOLS, Tool
from functions.accept.settings import AccessControl

type Routes = Sequence[Route[Any]]


def gateway_document(routes: Routes, server_url: str) -> Json:
    """The document of the tools, in the order of their paths.

    It does not say how callers are known: the Gateway has its outbound authorization for that.
    """
    paths: Json = {}
    for tool in TOOLS:
        route = route_of(tool, routes)
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(tool, routes)
    return document_of("Image jobs: tools for agents", server_url, paths, access=AccessControl.OPEN)


def _operation(tool: Tool, routes: Routes) -> Json:
    arguments = arguments_of(tool, routes)
    operation: Json = {
        "operationId": tool.name,
        "summary": tool.title,
        "description": tool.description,
        "parameters": [
            *(
                _parameter(one.place, one.sent_as, one.required, one.schema, tool.example.get(name))
                for name, one in arguments.items()
                if one.place != "body"
            ),
            *(
                _parameter("header", name, True, {"type": "string", "enum": [value]}, value)
                for name, value in tool.headers.items()
            ),
        ],
        "responses": {
            str(code): {"description": tool.title, "content": {"application/json": {"schema": schema}}}
            for code, schema in answer_schemas(tool, routes).items()
        },
    }
    if body := {name: one for name, one in arguments.items() if one.place == "body"}:
        content = {"schema": object_schema(body), "example": dict(tool.example)}
        operation["requestBody"] = {"required": True, "content": {"application/json": content}}
    return operation


def _parameter(place: str, name: str, must: bool, schema: Json, example: object) -> Json:
    told = schema.get("description", f"Always {example}.")
    shown = {} if example is None else {"example": example}
    return {"in": place, "name": name, "required": must, "description": told, "schema": schema, **shown}
