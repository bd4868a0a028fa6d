"""The messages of the Model Context Protocol over streamable HTTP: one JSON-RPC request in, one answer out."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, Json

from functions.accept.http.headers import TokenHeaders
from functions.accept.http.model import HttpModel
from functions.accept.http.requests import Request
from imagejobs.callbacks import Optionally


def _number_or_text(given: object) -> object:
    """Refuse another id before pydantic tries the two one after the other, and tells of both."""
    if given is not None and (not isinstance(given, int | str) or isinstance(given, bool)):
        raise ValueError("expected a whole number or a text")
    return given


# As plain alias: to pydantic a `type` statement would be a definition of its own.
_Id = Annotated[int, Field(strict=True)] | str


MESSAGE = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "list_models", "arguments": {}}}


class McpHeaders(TokenHeaders):
    """The headers of a client. Those that begin with Mcp- came with the revision 2026-07-28, and repeat the body."""

    origin: Annotated[
        Optionally[str], Field(alias="Origin", description="Where a browser's page comes from; others send none.")
    ] = None
    protocol_version: Annotated[
        Optionally[str], Field(alias="MCP-Protocol-Version", description="The revision of MCP that the client speaks.")
    ] = None
    method: Annotated[Optionally[str], Field(alias="Mcp-Method", description="The body's `method`.")] = None
    name: Annotated[Optionally[str], Field(alias="Mcp-Name", description="The name of the tool that is called.")] = None


class Message(HttpModel):
    """A request or, without an `id`, a notification (JSON-RPC 2.0). MCP knows no batches of them."""

    jsonrpc: Literal["2.0"]
    id: Annotated[Optionally[_Id], BeforeValidator(_number_or_text)] = None
    method: Annotated[str, Field(description="initialize, server/discover, ping, tools/list or tools/call.")]
    params: Annotated[dict[str, Any], Field(description="What the method takes.")] = {}  # noqa: RUF012 (pydantic copies it)


class McpRequest(Request):
    """One message of a client."""

    header: McpHeaders
    body: Json[Message]


class McpError(HttpModel):
    """Why a request has no result; `code` is JSON-RPC's or MCP's."""

    code: int
    message: str
    data: Optionally[dict[str, Any]] = None


class McpAnswer(HttpModel):
    """The answer to a request: its `result`, or why it has none."""

    jsonrpc: Literal["2.0"] = "2.0"
    id: Annotated[Optionally[_Id], Field(description="The request's; absent when a notification is refused.")] = None
    result: Optionally[dict[str, Any]] = None
    error: Optionally[McpError] = None
