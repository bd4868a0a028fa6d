"""The OpenAPI documents of the API, made from the route table and from the very models that the functions use.

Both are OpenAPI 3.0.3: watsonx Orchestrate reads 3.1 wrongly, and reports no error.
"""

import inspect
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from functions.accept.http.answers import Accepted, JobAction, Problem, ValidationProblem
from functions.accept.http.edit_body import NOT_FOR_AGENTS
from functions.accept.http.headers import CALLBACK_URL, PREFER, PROGRESS_URL
from functions.accept.http.route import Route, models
from functions.accept.http.schemas import Json, component_schemas, inlined, model_schema, reference
from functions.accept.settings import AccessControl
from imagejobs import __version__
from imagejobs.progress import ProgressEvent

type Routes = Sequence[Route[Any]]

# The security scheme of each way to ask callers who they are, and the codes that API Gateway then refuses with.
_SCHEMES: dict[AccessControl, dict[str, Json]] = {
    AccessControl.API_KEY: {
        "apiKey": {
            "type": "apiKey",
            "in": "header",
            "name": "x-api-key",
            "description": "A key of the API's usage plan.",
        }
    },
    AccessControl.JWT: {
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "An OAuth 2.0 access token of the issuer that the service trusts.",
        }
    },
    AccessControl.OPEN: {},
}
_REFUSALS = {AccessControl.API_KEY: [403], AccessControl.JWT: [401, 403], AccessControl.OPEN: []}
# What an agent's model may call by itself: the operation, and its name as a tool.
_AGENT_TOOLS = {
    "processImageAsyncToCos": "editImage",
    "getJob": "getJob",
    "cancelJob": "cancelJob",
    "retryJob": "retryJob",
    "listJobs": "listJobs",
}
# As WXO's importer reads them: a tool that creates or deletes may write, any other one only reads.
_ACTIONS = {"POST": "create", "DELETE": "delete", "GET": "read"}
_RETRY_AFTER: Json = {"description": "Seconds to wait before asking again.", "schema": {"type": "string"}}
_APPLIED: Json = {"description": "What was honoured of the header Prefer.", "schema": {"type": "string"}}
_LOCATION: Json = {"description": "Where the job can be seen.", "schema": {"type": "string"}}
_PROBLEMS = {
    401: "The token is missing or wrong.",
    403: "The API key is missing or wrong, the bearer token lacks a scope, or the page's Origin is not allowed.",
    404: "There is no such job.",
    409: "The request conflicts with what was asked before; the message says how.",
    413: "The image is over the limit; the message names the limit and the way to send larger ones.",
    422: "A body, header or path parameter is invalid; every invalid part is listed.",
    429: "Too many requests: try again later.",
    500: "The service is not configured, its storage refuses, or it failed; the message says what the owner has to do.",
    503: "A service that this one needs is not available: try again later.",
}
# What every route may answer: API Gateway's throttle, and its answer while accept cannot be asked, are among them.
_PROBLEMS_OF_ALL = (422, 429, 500, 503)


def full_document(routes: Routes, server_url: str, *, access: AccessControl) -> Json:
    """The whole API, as `GET /openapi.json` answers it; `access` is what it asks callers for."""
    paths: Json = {}
    for route in routes:
        operation = _operation(route) | {"tags": [route.tag], "parameters": _parameters(route)}
        for code in route.answers:
            if headers := _answer_headers(route, code):
                operation["responses"][str(code)]["headers"] = headers
        operation["responses"] |= {str(code): _problem(code) for code in problem_codes(route, access=access)}
        if PROGRESS_URL in route.header_names:
            operation["callbacks"]["progress"] = _posted(ProgressEvent, PROGRESS_URL)
        if route.example:
            operation["requestBody"]["content"]["application/json"]["example"] = route.example
        if route.open:
            operation["security"] = []
        paths.setdefault(route.path, {})[route.method.lower()] = operation
    document = document_of("Image jobs", server_url, paths, access=access)
    document.setdefault("components", {})["schemas"] = _schemas(routes)
    return document


def problem_codes(route: Route[Any], *, access: AccessControl) -> list[int]:
    """The codes of every refusal that a route may answer, in order."""
    problems = {*route.problems, *_PROBLEMS_OF_ALL, *([] if route.open else _REFUSALS[access])}
    return sorted(problems - route.answers.keys())


def wxo_document(routes: Routes, server_url: str, *, access: AccessControl) -> Json:
    """The three tools of the contract for watsonx Orchestrate, every schema inlined; `access` is what it asks for.

    An agent sees the parameters: of the headers only those that WXO must send, of the answers only the 202.
    """
    tools = {route.operation_id: route.operation_id for route in routes if route.tool}
    return _tools_document("tools", routes, tools, server_url, access, NOT_FOR_AGENTS)


def agent_document(routes: Routes, server_url: str, *, access: AccessControl) -> Json:
    """The tools that an agent's model chooses by itself beside `batchProcessImages`, likewise for WXO.

    None of them asks for base64, which a model can neither hold nor write. Those that start a job are asynchronous as
    the three are; the others answer at once.
    """
    hidden = NOT_FOR_AGENTS | {"image_base64"}
    return _tools_document("an agent's tools", routes, _AGENT_TOOLS, server_url, access, hidden)


def _tools_document(
    title: str, routes: Routes, tools: dict[str, str], server_url: str, access: AccessControl, hidden: set[str]
) -> Json:
    """A document of the routes with these operation ids, each under the name that it has as a tool."""
    schemas = _schemas(routes)
    paths: Json = {}
    for route in routes:
        if route.operation_id in tools:
            operation = inlined(_tool(route), schemas) | {"operationId": tools[route.operation_id]}
            paths.setdefault(route.path, {})[route.method.lower()] = _without(operation, hidden)
    return document_of(f"Image jobs: {title} for watsonx Orchestrate", server_url, paths, access=access)


def _tool(route: Route[Any]) -> Json:
    operation = _operation(route) | {"x-ibm-operation": {"action": _ACTIONS[route.method]}}
    # Its callback is how an agent learns a job's result.
    sent = [
        parameter | {"required": True} if parameter["name"] == CALLBACK_URL else parameter
        for parameter in _parameters(route)
        if parameter["in"] != "header" or parameter["required"] or parameter["name"] == CALLBACK_URL
    ]
    success = "202" if "202" in operation["responses"] else next(iter(operation["responses"]))
    return operation | {"parameters": sent, "responses": {success: operation["responses"][success]}}


def _without(operation: Json, hidden: set[str]) -> Json:
    """An operation without these fields of its body."""
    if "requestBody" not in operation:
        return operation
    body = operation["requestBody"]["content"]["application/json"]["schema"]
    shown = {name: field for name, field in body["properties"].items() if name not in hidden}
    body = body | {"properties": shown}
    return operation | {"requestBody": {"content": {"application/json": {"schema": body}}, "required": True}}


def document_of(title: str, server_url: str, paths: Json, *, access: AccessControl) -> Json:
    """A document of these paths; `access` is what it asks callers for."""
    info = {"title": title, "version": __version__, "description": "Edits images as asynchronous jobs with callbacks."}
    document: Json = {"openapi": "3.0.3", "info": info, "servers": [{"url": server_url}], "paths": paths}
    if schemes := _SCHEMES[access]:
        document |= {"components": {"securitySchemes": schemes}, "security": [{name: []} for name in schemes]}
    return document


def _operation(route: Route[Any]) -> Json:
    """What both documents say of a route."""
    operation: Json = {
        "operationId": route.operation_id,
        "summary": route.summary,
        "description": route.description,
        "responses": {str(code): _success(route, code) for code in route.answers},
    }
    if route.bodies:
        operation["requestBody"] = _content(*route.bodies) | {"required": True}
    if route.callback:
        operation["callbacks"] = {"result": _posted(route.callback, CALLBACK_URL)}
    return operation


def _posted(model: type[BaseModel], header: str) -> Json:
    """What is posted to the URL that a header names."""
    # WXO's importer looks the callback's answer up under the operation's own success code, 202, while receivers
    # answer 200: both are declared.
    received = {
        "description": "Received. The body of the answer is not read.",
        "content": {"application/json": {"schema": {"type": "object"}}},
    }
    post = {"requestBody": _content(model) | {"required": True}, "responses": {"200": received, "202": received}}
    return {f"{{$request.header.{header}}}": {"post": post}}


def _parameters(route: Route[Any]) -> list[Json]:
    """The parameters of path and headers, as the request's models have them; those that must be given come first."""
    parameters = []
    for place, model in route.parameters.items():
        schema = model_schema(model)
        for name, of_field in inlined(schema["properties"], schema.get("$defs", {})).items():
            told = {"description": of_field.pop("description")} if "description" in of_field else {}
            if examples := of_field.pop("examples", None):
                told["example"] = examples[0]  # OpenAPI 3.0 has one, beside the schema
            required = name in schema.get("required", [])
            parameters.append({"in": place, "name": name, "required": required, **told, "schema": of_field})
    return sorted(parameters, key=lambda parameter: not parameter["required"])


def _success(route: Route[Any], code: int) -> Json:
    answer = route.answers[code]
    if answer is None:
        return {"description": route.summary}
    if isinstance(answer, str):
        schema = {"type": "object" if answer == "application/json" else "string"}
        return {"description": route.summary, "content": {answer: {"schema": schema}}}
    # The first line of the model's docstring says what the answer means.
    description = inspect.cleandoc(models(answer)[0].__doc__ or "").partition("\n")[0]
    return {"description": description, **_content(*models(answer))}


def _answer_headers(route: Route[Any], code: int) -> Json:
    starts_or_steers = route.answers.get(202) in (Accepted, JobAction) and code in (200, 202)
    waits = PREFER in route.header_names and code in (200, 202)
    return ({"Location": _LOCATION} if starts_or_steers else {}) | ({"Preference-Applied": _APPLIED} if waits else {})


def _problem(code: int) -> Json:
    problem = {"description": _PROBLEMS[code], **_content(ValidationProblem if code == 422 else Problem)}
    return problem | ({"headers": {"Retry-After": _RETRY_AFTER}} if code in (429, 503) else {})


def _content(*models: type[BaseModel]) -> Json:
    schema = reference(models[0]) if len(models) == 1 else {"oneOf": [reference(model) for model in models]}
    return {"content": {"application/json": {"schema": schema}}}


def _schemas(routes: Routes) -> Json:
    requests = [body for route in routes for body in route.bodies]
    told = [answer for route in routes for answer in route.answers.values() if answer and not isinstance(answer, str)]
    answers = [model for answer in told for model in models(answer)]
    answers += [route.callback for route in routes if route.callback]
    return component_schemas(requests, [*answers, ProgressEvent, Problem, ValidationProblem])
