"""A server of the Model Context Protocol without sessions and streams, in both of the protocol's forms.

Up to the revision 2025-11-25 a client begins by `initialize`; since 2026-07-28 each request says by itself what the
client speaks, and headers repeat what is in its body (specification, "Streamable HTTP"). A server without streams
answers GET by 405, one without sessions DELETE: the route table has neither.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from aws_lambda_powertools.event_handler import Response

from functions.accept.http.call import Answer, Call, answer
from functions.accept.http.problems import ForbiddenError
from functions.accept.http.route import Route
from functions.accept.http.schemas import Json
from functions.accept.mcp.calls import call_tool
from functions.accept.mcp.messages import McpAnswer, McpError, McpHeaders, McpRequest, Message
from functions.accept.mcp.schemas import answer_schema, arguments_of, object_schema
from functions.accept.mcp.tools import TOOLS, Tool
from imagejobs import __version__

type Routes = tuple[Route[Any], ...]

# The revisions that begin by `initialize`, oldest first, and the one that does not.
HANDSHAKE_VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
MODERN_VERSION = "2026-07-28"

METHOD_NOT_FOUND, INVALID_PARAMS, HEADER_MISMATCH, UNSUPPORTED_VERSION = -32601, -32602, -32020, -32022
# The codes of HTTP that 2026-07-28 wants for errors; before it, they were answers like others.
_STATUS = {METHOD_NOT_FOUND: HTTPStatus.NOT_FOUND}

_META = "io.modelcontextprotocol/"
# What is told of the tools changes with the service's version: a client may keep it for five minutes.
_CACHED = {"ttlMs": 300_000, "cacheScope": "private"}
_SERVER = {"name": "wxo-image-jobs", "title": "Image jobs", "version": __version__}
_INSTRUCTIONS = (
    "Edits images by AI models, as jobs. edit_image edits one image and edit_folder many; each is paid. What is not "
    "done within some seconds has a job_id, and get_job tells how it stands. Links to results expire: get_job gives "
    "fresh ones. Where no answer came, call again with the same arguments and idempotency_key: it is the same job."
)


class McpRefusedError(Exception):
    """A request has no result: the error that its answer has instead."""

    def __init__(self, code: int, message: str, data: Json | None = None) -> None:
        super().__init__(message)
        self.error = McpError(code=code, message=message, data=data)


def serve(call: Call[McpRequest], routes: Routes) -> Answer:
    """Answer one message; raises ForbiddenError for a page of a foreign origin."""
    _check_origin(call)
    message, version = call.sent.body, call.sent.header.protocol_version
    modern = version is not None and version not in HANDSHAKE_VERSIONS
    try:
        if modern:
            _check_modern(message, call.sent.header)
        if message.id is None:
            # All notifications are about sessions, streams or requests that have ended.
            return Response(HTTPStatus.ACCEPTED, body="")
        result = _method(message, modern=modern)(message.params, call, routes)
    except McpRefusedError as refused:
        status = _STATUS.get(refused.error.code, HTTPStatus.BAD_REQUEST) if modern else HTTPStatus.OK
        return answer(status, McpAnswer(id=message.id, error=refused.error))
    if modern:
        result = {"resultType": "complete", "_meta": {f"{_META}serverInfo": _SERVER}} | result
    return answer(HTTPStatus.OK, McpAnswer(id=message.id, result=result))


def _check_origin(call: Call[McpRequest]) -> None:
    """Refuse a page that is none of the service's, so that no site can use what a browser can reach (DNS rebinding)."""
    origin, base = call.sent.header.origin, urlsplit(call.base_url)
    allowed = {*call.resources.settings.origins, f"{base.scheme}://{base.netloc}"}
    if origin is not None and not {origin, "*"} & allowed:
        raise ForbiddenError("pages of this Origin may not call the service: its owner allows it by CorsAllowOrigins")


def _check_modern(message: Message, header: McpHeaders) -> None:
    """Hold a request to the rules of 2026-07-28; a notification has none but the version."""
    if message.id is not None:
        meta = message.params.get("_meta")
        needed = [f"{_META}protocolVersion", f"{_META}clientCapabilities"]
        if not isinstance(meta, dict) or (needed := [name for name in needed if name not in meta]):
            raise McpRefusedError(INVALID_PARAMS, f"expected params._meta with {' and '.join(needed)}")
        # The names of the tools are plain ASCII, which no client encodes.
        named = message.params.get("name") if message.method == "tools/call" else header.name
        repeated = {
            "MCP-Protocol-Version": (header.protocol_version, meta[f"{_META}protocolVersion"]),
            "Mcp-Method": (header.method, message.method),
            "Mcp-Name": (header.name, named),
        }
        if wrong := [name for name, (sent, expected) in repeated.items() if sent != expected]:
            raise McpRefusedError(HEADER_MISMATCH, f"other than the body says, or missing: {', '.join(wrong)}")
    if header.protocol_version != MODERN_VERSION:
        supported = [*HANDSHAKE_VERSIONS, MODERN_VERSION]
        data = {"supported": supported, "requested": header.protocol_version}
        raise McpRefusedError(UNSUPPORTED_VERSION, f"expected one of the versions {', '.join(supported)}", data)


# ---------------------------------------------------------------- methods


def _initialize(params: Json, _call: Call[McpRequest], _routes: Routes) -> Json:
    asked = params.get("protocolVersion")
    version = asked if asked in HANDSHAKE_VERSIONS else HANDSHAKE_VERSIONS[-1]
    told: Json = {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": _SERVER}
    return told | {"instructions": _INSTRUCTIONS}


def _discover(_params: Json, _call: Call[McpRequest], _routes: Routes) -> Json:
    versions = [*HANDSHAKE_VERSIONS, MODERN_VERSION]
    return {"supportedVersions": versions, "capabilities": {"tools": {}}, "instructions": _INSTRUCTIONS} | _CACHED


def _ping(_params: Json, _call: Call[McpRequest], _routes: Routes) -> Json:
    return {}


def _list_tools(_params: Json, _call: Call[McpRequest], routes: Routes) -> Json:
    return {"tools": tools_told(routes)} | _CACHED


def _call_tool(params: Json, call: Call[McpRequest], routes: Routes) -> Json:
    name, arguments = params.get("name"), params.get("arguments") or {}
    if not isinstance(arguments, dict):
        raise McpRefusedError(INVALID_PARAMS, "expected `arguments` to be an object")
    tool = next((tool for tool in TOOLS if tool.name == name), None)
    if tool is None:
        names = ", ".join(tool.name for tool in TOOLS)
        raise McpRefusedError(INVALID_PARAMS, f"there is no such tool; expected one of {names}")
    return call_tool(tool, arguments, call, routes)


type _Method = Callable[[Json, Call[McpRequest], Routes], Json]

_TOOL_METHODS: dict[str, _Method] = {"tools/list": _list_tools, "tools/call": _call_tool}
_MODERN_METHODS: dict[str, _Method] = _TOOL_METHODS | {"server/discover": _discover}
_HANDSHAKE_METHODS: dict[str, _Method] = _TOOL_METHODS | {"initialize": _initialize, "ping": _ping}


def _method(message: Message, *, modern: bool) -> _Method:
    methods = _MODERN_METHODS if modern else _HANDSHAKE_METHODS
    if message.method not in methods:
        raise McpRefusedError(METHOD_NOT_FOUND, f"there is no such method; expected one of {', '.join(methods)}")
    return methods[message.method]


def tools_told(routes: Routes) -> list[Json]:
    """The tools as a client is told of them."""
    return [_tool_told(tool, routes) for tool in TOOLS]


def _tool_told(tool: Tool, routes: Routes) -> Json:
    hints = {"readOnlyHint": tool.read_only, "destructiveHint": tool.destructive, "openWorldHint": not tool.read_only}
    return {
        "name": tool.name,
        "title": tool.title,
        "description": tool.description,
        "inputSchema": object_schema(arguments_of(tool, routes)) | {"examples": [dict(tool.example)]},
        "outputSchema": answer_schema(tool, routes),
        "annotations": hints,
    }
