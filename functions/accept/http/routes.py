"""The route table: every operation of the API, once. A new one is a row here and its handler."""

import json
from functools import lru_cache
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response

from functions.accept.http import handlers
from functions.accept.http.answers import CosConfig, DeepHealth, Health, Models
from functions.accept.http.call import Answer, Call
from functions.accept.http.job_routes import JOB_ROUTES
from functions.accept.http.requests import HealthRequest, OpenRequest, Request
from functions.accept.http.route import Route
from functions.accept.mcp.messages import MESSAGE, McpAnswer, McpRequest
from functions.accept.settings import AccessControl


def openapi(call: Call[OpenRequest]) -> Answer:
    """GET /openapi.json: this table, told to the caller."""
    body = _openapi_json(call.base_url, call.resources.settings.access_control)
    return Response(HTTPStatus.OK, content_type="application/json", body=body)


@lru_cache
def _openapi_json(server_url: str, access: AccessControl) -> str:
    from functions.accept.http.openapi import full_document  # 30 models' schemas, which no other route needs

    return f"{json.dumps(full_document(ROUTES, server_url, access=access))}\n"


def tools_openapi(call: Call[Request]) -> Answer:
    """GET /openapi-tools.json: the tools for agents, told to an importer."""
    from functions.accept.mcp.gateway import gateway_document

    body = f"{json.dumps(gateway_document(ROUTES, call.base_url))}\n"
    return Response(HTTPStatus.OK, content_type="application/json", body=body)


def mcp(call: Call[McpRequest]) -> Answer:
    """POST /mcp."""
    from functions.accept.mcp.server import serve  # with the schemas of the tools, which no other route needs

    return serve(call, ROUTES)


ROUTES: tuple[Route[Any], ...] = (
    *JOB_ROUTES,
    Route(
        "GET",
        "/health",
        handlers.health,
        HealthRequest,
        {200: Health, 307: None},
        operation_id="getHealth",
        summary="Tell whether the service is up",
        description="Answers when the service is up, with the settings that a caller may want to know. Nobody needs a "
        "key or a token for it.",
        tag="Service",
    ),
    Route(
        "POST",
        "/health",
        handlers.take_callback,
        OpenRequest,
        {200: Health},
        operation_id="postHealth",
        summary="Take a callback as a receiver would",
        description="Answers as GET does, and keeps nothing of what is posted. Its address serves as callbackUrl for a "
        "client that has no receiver and cannot send Prefer: the result is then read by GET /jobs/{job_id}.",
        tag="Service",
    ),
    Route(
        "GET",
        "/health/deep",
        handlers.deep_health,
        Request,
        {200: DeepHealth, 503: DeepHealth},
        operation_id="getDeepHealth",
        summary="Check what the service depends on",
        description="Checks storage, secret, state machine and OpenAI by one free call each, and tells of each how it "
        "went and how long it took. GET /health?deep=1 leads here.",
        problems=(401,),
        tag="Service",
    ),
    Route(
        "GET",
        "/models",
        handlers.list_models,
        Request,
        {200: Models},
        operation_id="listModels",
        summary="List the models that a request may choose",
        description="Lists the models that a request may name in its field model, and what each of them takes: its "
        "qualities, sizes, output formats and backgrounds, whether it takes a mask, and how many reference pictures. "
        "The default model edits when a request names none.",
        problems=(401,),
        tag="Service",
    ),
    Route(
        "GET",
        "/cos/config",
        handlers.cos_config,
        Request,
        {200: CosConfig},
        operation_id="getStorageConfiguration",
        summary="Tell where images come from and go to",
        description="Tells the buckets and prefixes that batches read from and results are stored in, and how long a "
        "link holds. It never shows a credential.",
        problems=(401,),
        tag="Service",
    ),
    Route(
        "GET",
        "/",
        handlers.root,
        OpenRequest,
        {302: None},
        operation_id="getRoot",
        summary="Redirect to the page of the API",
        description="Redirects from the API's bare address to GET /docs.",
        tag="Service",
    ),
    Route(
        "GET",
        "/openapi.json",
        openapi,
        OpenRequest,
        {200: "application/json"},
        operation_id="getOpenApi",
        summary="Give the OpenAPI document",
        description="The OpenAPI 3.0 document of the whole API, for the address by which it was asked.",
        tag="Service",
    ),
    Route(
        "GET",
        "/openapi-tools.json",
        tools_openapi,
        Request,
        {200: "application/json"},
        operation_id="getToolsOpenApi",
        summary="Give the OpenAPI document of the tools for agents",
        description="The OpenAPI 3.0 document of the tools that POST /mcp offers, in the plain form that Amazon "
        "Bedrock AgentCore Gateway and similar importers take, for the address by which it was asked.",
        problems=(401,),
        tag="Service",
    ),
    Route(
        "POST",
        "/mcp",
        mcp,
        McpRequest,
        {200: McpAnswer, 202: None, 400: McpAnswer, 404: McpAnswer},
        operation_id="postMcp",
        summary="Answer one message of the Model Context Protocol",
        description="Offers the service's tools to agents over the Model Context Protocol: streamable HTTP without "
        "sessions and streams, answers in JSON. A notification is answered by 202. Errors are those of JSON-RPC; since "
        "the protocol's revision 2026-07-28 they come with 400 or 404.",
        problems=(401, 403),
        tag="Service",
        example=MESSAGE,
    ),
    Route(
        "GET",
        "/docs",
        handlers.docs,
        OpenRequest,
        {200: "text/html"},
        operation_id="getDocs",
        summary="Show the OpenAPI document as a page",
        description="A page that shows the OpenAPI document and can call the routes.",
        tag="Service",
    ),
    Route(
        "GET",
        "/console",
        handlers.console,
        OpenRequest,
        {200: "text/html"},
        operation_id="getConsole",
        summary="Show the page for people",
        description="A page that edits pictures, shows jobs as they run and hands out their results. It asks for a key "
        "or token where the service does.",
        tag="Service",
    ),
)
