"""The OpenAPI documents of the API, made from the very models that the functions use.

Both are OpenAPI 3.0.3: watsonx Orchestrate reads 3.1 without a word of complaint, and wrongly.
"""

from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from imagejobs import api
from imagejobs.callbacks import Base64Callback, BatchCallback, UrlCallback
from imagejobs.openapi_schemas import Json, component_schemas, inlined, reference

API_VERSION = "1.0.0"
_API_KEY: Json = {
    "type": "apiKey",
    "in": "header",
    "name": "x-api-key",
    "description": "A key of the API's usage plan.",
}


@dataclass(frozen=True)
class _Submission:
    """One of the three routes that start a job."""

    path: str
    operation_id: str
    summary: str
    # An agent's language model chooses the tool by this alone. Without line breaks, which WXO's importer does not take.
    description: str
    body: type[BaseModel]
    callback: type[BaseModel]


SUBMISSIONS = (
    _Submission(
        "/process-image-async-b64",
        "processImageAsyncToBase64",
        "Edit one image and give it back",
        "Edits one image as the prompt asks and gives the edited image itself back, as base64. Use it when the result "
        "is to be shown or worked on right away. Give the prompt in plain words and the image as image_base64, without "
        "a data: prefix; for an image over 4 MB give image_key or image_url instead, exactly one of the three. The "
        "edit takes from seconds to minutes; the result arrives by callback with status completed (then "
        "result_image_base64 and result_mime_type) or failed (then error, which says why).",
        api.ImageRequest,
        Base64Callback,
    ),
    _Submission(
        "/process-image-async",
        "processImageAsyncToCos",
        "Edit one image and store it",
        "Edits one image as the prompt asks, stores the result in object storage and gives back a link to it. Use it "
        "when the result is to be kept or shared. Give the prompt in plain words and the image as image_base64, "
        "without a data: prefix; for an image over 4 MB give image_key or image_url instead, exactly one of the three. "
        "The result arrives by callback with status completed (then result_url, which works for expires_in seconds, "
        "and object_key) or failed (then error, which says why).",
        api.ImageRequest,
        UrlCallback,
    ),
    _Submission(
        "/batch-process-images",
        "batchProcessImages",
        "Edit every image of a folder",
        "Edits every image in the configured input bucket with one and the same prompt and stores the results in the "
        "output bucket. Use it when a whole folder is to be edited; no image is passed. The one callback at the end "
        "holds the counts (total_files, processed, failed), where the results are (output_bucket, output_prefix) and "
        "up to 20 errors. Its status is completed, completed_with_errors when at least one image failed, or failed "
        "with error when the batch could not run.",
        api.BatchRequest,
        BatchCallback,
    ),
)


def wxo_document(server_url: str, api_key: bool) -> Json:
    """The three tools for watsonx Orchestrate, every schema inlined; `api_key` when the API asks for one."""
    schemas = _schemas()
    paths = {one.path: {"post": inlined(_submission(one), schemas)} for one in SUBMISSIONS}
    document = _document("Image jobs: tools for watsonx Orchestrate", server_url, paths)
    if api_key:
        document |= {"components": {"securitySchemes": {"apiKey": _API_KEY}}, "security": [{"apiKey": []}]}
    return document


def full_document(server_url: str, api_key: bool) -> Json:
    """The whole API, as `GET /openapi.json` answers it; `api_key` when the API asks for one."""
    paths: Json = {}
    for one in SUBMISSIONS:
        operation = _submission(one) | {"tags": ["Jobs"]}
        operation["parameters"] += [_TOKEN, _IDEMPOTENCY_KEY]
        operation["responses"] |= _problems(401, 409, 413, 503)
        operation["responses"]["202"]["headers"] = {"Location": _LOCATION}
        paths[one.path] = {"post": operation}
    for route in _ROUTES:
        paths.setdefault(route.path, {})[route.method] = _operation(route)
    for item in paths.values():
        for operation in item.values():
            if operation.get("security") != []:
                operation["responses"] |= _problems(403) if api_key else {}
            operation["parameters"] = [*operation.get("parameters", []), _CORRELATION_ID]
            operation["responses"] |= _problems(422, 429, 500)
    document = _document("Image jobs", server_url, paths) | {"components": {"schemas": _schemas()}}
    if api_key:
        document["components"]["securitySchemes"] = {"apiKey": _API_KEY}
        document["security"] = [{"apiKey": []}]
    return document


def _document(title: str, server_url: str, paths: Json) -> Json:
    info = {"title": title, "version": API_VERSION, "description": "Edits images as asynchronous jobs with callbacks."}
    return {"openapi": "3.0.3", "info": info, "servers": [{"url": server_url}], "paths": paths}


def _header(name: str, description: str, **schema: Any) -> Json:
    return {"in": "header", "name": name, "description": description, "schema": {"type": "string", **schema}}


_CALLBACK_URL = _header("callbackUrl", "Where the result is posted.", minLength=1, maxLength=2048) | {"required": True}
_TOKEN = _header("x-workshop-token", "The shared token, where the service has one.")
_IDEMPOTENCY_KEY = _header(
    "Idempotency-Key",
    "With the same key and body a repeated request gives the same job.",
    pattern=api.IDEMPOTENCY_KEY_PATTERN,
)
_CORRELATION_ID = _header(
    "x-correlation-id",
    "An id of the caller's, which comes back in the answer and the callback.",
    pattern=api.CORRELATION_ID_PATTERN,
)
_JOB_ID: Json = {
    "in": "path",
    "name": "job_id",
    "required": True,
    "schema": {"type": "string", "pattern": api.JOB_ID_PATTERN},
}
_RETRY_AFTER: Json = {"description": "Seconds to wait before asking again.", "schema": {"type": "string"}}
_LOCATION: Json = {"description": "Where the job can be seen.", "schema": {"type": "string"}}
_PROBLEMS = {
    401: "The token is missing or wrong.",
    403: "The API key is missing or wrong.",
    404: "There is no such job.",
    409: "The request conflicts with what was asked before; the message says how.",
    413: "The image is over the limit; the message names the limit and the way to send larger ones.",
    422: "A body, header or path parameter is invalid; every invalid part is listed.",
    429: "Too many requests: try again later.",
    500: "The service is not configured, or failed; the message says what is missing.",
    503: "A service that this one needs is not available: try again later.",
}


def _json(model: type[BaseModel]) -> Json:
    return {"application/json": {"schema": reference(model)}}


def _answer(description: str, model: type[BaseModel]) -> Json:
    return {"description": description, "content": _json(model)}


def _problems(*codes: int) -> Json:
    problems: Json = {}
    for code in codes:
        problem = _answer(_PROBLEMS[code], api.ValidationProblem if code == 422 else api.Problem)
        problems[str(code)] = problem | ({"headers": {"Retry-After": _RETRY_AFTER}} if code in (429, 503) else {})
    return problems


def _submission(one: _Submission) -> Json:
    # WXO's importer looks the callback's answer up under the operation's own success code, 202, while receivers
    # answer 200: both are declared.
    received = {
        "description": "Received. The body of the answer is not read.",
        "content": {"application/json": {"schema": {"type": "object"}}},
    }
    callback = {
        "requestBody": {"required": True, "content": _json(one.callback)},
        "responses": {"200": received, "202": received},
    }
    return {
        "operationId": one.operation_id,
        "summary": one.summary,
        "description": one.description,
        "x-ibm-operation": {"action": "create"},
        "parameters": [_CALLBACK_URL],
        "requestBody": {"required": True, "content": _json(one.body)},
        "responses": {"202": _answer("The job is recorded; its result comes by callback.", api.Accepted)},
        "callbacks": {"result": {"{$request.header.callbackUrl}": {"post": callback}}},
    }


@dataclass(frozen=True)
class _Route:
    """One of the routes beside the submissions. `answers`: the model or media type of each success; open: no key."""

    method: str
    path: str
    operation_id: str
    summary: str
    answers: dict[int, type[BaseModel] | str]
    problems: tuple[int, ...] = ()
    body: type[BaseModel] | None = None
    parameters: list[Json] = field(default_factory=list)
    open: bool = False
    tag: str = "Jobs"


_JOB_PARAMETERS = [_JOB_ID, _TOKEN]
_ROUTES = (
    _Route(
        "get", "/health", "getHealth", "Tell whether the service is up", {200: api.Health}, open=True, tag="Service"
    ),
    _Route(
        "get",
        "/cos/config",
        "getStorageConfiguration",
        "Tell where images come from and go to",
        {200: api.CosConfig},
        (401,),
        parameters=[_TOKEN],
        tag="Service",
    ),
    _Route(
        "post",
        "/uploads",
        "createUpload",
        "Prepare the upload of a large image",
        {201: api.Upload},
        (401,),
        body=api.UploadRequest,
        parameters=[_TOKEN],
    ),
    _Route(
        "get",
        "/jobs/{job_id}",
        "getJob",
        "See a job",
        {200: api.Job},
        (401, 404, 503),
        parameters=_JOB_PARAMETERS,
    ),
    _Route(
        "delete",
        "/jobs/{job_id}",
        "cancelJob",
        "Cancel a job",
        {202: api.JobAction},
        (401, 404, 409, 503),
        parameters=_JOB_PARAMETERS,
    ),
    _Route(
        "post",
        "/jobs/{job_id}/redeliver",
        "redeliverJob",
        "Send a job's callback again",
        {202: api.JobAction},
        (401, 404, 409, 503),
        parameters=_JOB_PARAMETERS,
    ),
    _Route("get", "/openapi.json", "getOpenApi", "This document", {200: "application/json"}, open=True, tag="Service"),
    _Route("get", "/docs", "getDocs", "This document as a page", {200: "text/html"}, open=True, tag="Service"),
)


def _operation(route: _Route) -> Json:
    operation: Json = {
        "operationId": route.operation_id,
        "summary": route.summary,
        "tags": [route.tag],
        "responses": {},
    }
    if route.parameters:
        operation["parameters"] = route.parameters
    if route.body:
        operation["requestBody"] = {"required": True, "content": _json(route.body)}
    for code, answer in route.answers.items():
        if isinstance(answer, str):
            schema = {"type": "object" if answer == "application/json" else "string"}
            operation["responses"][str(code)] = {"description": route.summary, "content": {answer: {"schema": schema}}}
        else:
            operation["responses"][str(code)] = _answer(route.summary, answer)
    operation["responses"] |= _problems(*route.problems)
    if route.open:
        operation["security"] = []
    return operation


def _schemas() -> Json:
    requests = [one.body for one in SUBMISSIONS] + [route.body for route in _ROUTES if route.body]
    answers = [model for route in _ROUTES for model in route.answers.values() if not isinstance(model, str)]
    answers += [one.callback for one in SUBMISSIONS] + [api.Accepted, api.Problem, api.ValidationProblem]
    return component_schemas(requests, answers)
