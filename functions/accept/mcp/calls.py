"""Calls of tools: each is made the request of its route, and the route's answer is made the tool's result."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from functions.accept.http.call import Answer, Call, read_parts
from functions.accept.http.handlers import logger
from functions.accept.http.refusals import guarded
from functions.accept.http.route import Route
from functions.accept.http.schemas import Json
from functions.accept.mcp.schemas import arguments_of, route_of
from functions.accept.mcp.tools import Tool


def call_tool(tool: Tool, arguments: Mapping[str, Any], call: Call[Any], routes: Sequence[Route[Any]]) -> Json:
    """Answer a call by the tool's route. A refusal is a result too, with `isError`: a model reads it and tries anew."""
    known = arguments_of(tool, routes)
    if unknown := sorted(arguments.keys() - known.keys()):
        expected = ", ".join(known) or "none"
        return _refused(f"unknown arguments: {', '.join(unknown)}. The tool {tool.name} takes: {expected}")
    parts: dict[str, Any] = {"header": dict(tool.headers), "path": {}, "query": {}, "body": {}}
    for name, value in arguments.items():
        if value is not None and value != "":
            parts[known[name].place][known[name].sent_as] = value
    answered = _answered(route_of(tool, routes), parts, call)
    logger.info("tool called", extra={"tool": tool.name, "answered": int(answered.status_code)})
    body = json.loads(answered.body or "{}")
    if answered.status_code >= 400:
        reason = _reason(body, answered.headers.get("Retry-After"))
        for name, argument in known.items():
            if argument.sent_as != name:
                reason = reason.replace(argument.sent_as, name)
        return _refused(reason)
    return {
        "content": [{"type": "text", "text": text} for text in (_told(tool, body), json.dumps(body)) if text],
        "structuredContent": body,
        "isError": False,
    }


def _answered(route: Route[Any], parts: dict[str, Any], call: Call[Any]) -> Answer:
    given = parts | {"body": json.dumps(parts["body"]).encode()}

    def handle() -> Answer:
        # The caller, the correlation id and the start of the wait are those of the call itself.
        return route.handler(replace(call, sent=read_parts(route.request, given, call.resources.settings)))

    return guarded(handle)


def _refused(reason: str) -> Json:
    return {"content": [{"type": "text", "text": reason}], "isError": True}


def _reason(problem: Json, retry_after: object) -> str:
    """A refusal's `detail` in one text; a `loc` begins with the part of the request, which a tool does not have."""
    detail = problem["detail"]
    if not isinstance(detail, str):
        fields = [(".".join(map(str, field["loc"][1:])), field["msg"]) for field in detail]
        detail = "; ".join(f"{name}: {text}" if name else text for name, text in fields)
    return f"{detail}. Try again after {retry_after} seconds" if retry_after else detail


def _told(tool: Tool, body: Json) -> str:
    """One sentence about a job, for the model to go on by; nothing about other answers."""
    if "accepted" in body:
        return f"{body['job_id']}: {tool.after_acceptance}"
    if not {"job_id", "status"} <= body.keys():
        return ""
    sentence = f"The job {body['job_id']} is {body['status'].replace('_', ' ')}."
    if error := body.get("error") or body.get("result", {}).get("error"):
        return f"{sentence} {error}"
    if body["status"] in ("queued", "running"):
        return f"{sentence} Call get_job again."
    url = body.get("result", {}).get("result_url")
    return f"{sentence} The edited image: {url}" if url else sentence
