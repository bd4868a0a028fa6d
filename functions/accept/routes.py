"""The HTTP API: each route reads its call, hands plain values on, and answers in the contract's form."""

import re
from collections.abc import Callable
from http import HTTPStatus
from uuid import uuid4

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, CORSConfig, Response
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import BaseModel

from functions.accept import configuration, documents, services
from functions.accept.call import Call, given_correlation_id, job_id_from
from functions.accept.control import cancel, redeliver
from functions.accept.docs_page import docs_page
from functions.accept.problems import (
    InvalidRequestError,
    MethodNotAllowedError,
    NotFoundError,
    ProblemError,
    UnavailableError,
    together,
)
from functions.accept.submission import Submission, submit
from functions.accept.uploads import create_upload
from imagejobs.api import Accepted, BatchRequest, ImageRequest, JobAction, Problem, UploadRequest, ValidationProblem
from imagejobs.errors import StorageUnavailableError
from imagejobs.observability import make_logger
from imagejobs.workflow import Operation

logger = make_logger("accept")
type Answer = Response[str]


def build_api(origins: list[str]) -> APIGatewayRestResolver:
    """Make the resolver of the API, open to browsers of these origins."""
    cors = None
    if origins:
        cors = CORSConfig(
            allow_origin=origins[0],
            extra_origins=origins[1:],
            allow_headers=["callbackUrl", "Idempotency-Key", "x-correlation-id", "x-workshop-token"],
            expose_headers=["Location", "Retry-After", "x-correlation-id"],
            max_age=600,
        )
    api = APIGatewayRestResolver(cors=cors)
    api.use([_in_contract_form])
    for methods, path, function in _ROUTES:
        api.route(path, method=methods)(_with_call(api, function))
    api.not_found(lambda _: _no_route(api))
    return api


def _in_contract_form(api: APIGatewayRestResolver, next_middleware: Callable[..., Answer]) -> Answer:
    """Around every route: the correlation id in logs and answer, and every refusal as the contract says it."""
    correlation_id = str(uuid4())
    try:
        correlation_id = given_correlation_id(api.current_event) or correlation_id
        api.append_context(correlation_id=correlation_id)  # type: ignore[no-untyped-call]
        with logger.append_context_keys(correlation_id=correlation_id):
            answer = _guarded(lambda: next_middleware(api))
    except InvalidRequestError as error:
        answer = _invalid(error)
    answer.headers["x-correlation-id"] = correlation_id
    if services.settings().origins:
        answer.headers["Vary"] = "Origin"  # a cache must not hand one origin's answer to another
    if api.current_event.http_method == "HEAD":
        answer.body = ""
    return answer


def _guarded(route: Callable[[], Answer]) -> Answer:
    try:
        return route()
    except InvalidRequestError as error:
        return _invalid(error)
    except ProblemError as problem:
        return _refuse(problem)
    except (StorageUnavailableError, ClientError, BotoCoreError) as error:
        return _unavailable(error)
    except Exception as error:  # noqa: BLE001 - the caller gets the contract's form whatever went wrong
        return _unexpected(error)


def _with_call(api: APIGatewayRestResolver, function: Callable[..., Answer]) -> Callable[..., Answer]:
    def route(**path: str) -> Answer:
        return function(Call(api.current_event, api.context["correlation_id"]), **path)

    return route


def _answer(status: HTTPStatus, body: BaseModel, headers: dict[str, str] | None = None) -> Answer:
    return Response(
        status_code=int(status),
        content_type="application/json",
        body=body.model_dump_json(exclude_none=True),
        headers=dict(headers or {}),
    )


# ---------------------------------------------------------------- jobs


def _submit(call: Call, operation: Operation, model: type[ImageRequest | BatchRequest]) -> Answer:
    call.require_token(services.secrets())
    callback_url, idempotency_key, body = together(
        lambda: services.allowed_callback_url(call.callback_url),
        lambda: call.idempotency_key,
        lambda: services.with_allowed_source(call.body(model)),
    )
    submission = Submission(
        operation=operation,
        body=body,
        callback_url=callback_url,
        correlation_id=call.correlation_id,
        idempotency_key=idempotency_key,
        caller=call.caller,
    )
    configuration.require_configuration(operation, services.settings(), services.secrets())
    job_id = submit(submission, services.store(), services.executions(), services.settings())
    logger.info("accepted", extra={"job_id": job_id, "operation": operation})
    return _answer(HTTPStatus.ACCEPTED, Accepted(job_id=job_id), {"Location": call.url_of(f"/jobs/{job_id}")})


def submit_base64(call: Call) -> Answer:
    """POST /process-image-async-b64."""
    return _submit(call, "base64", ImageRequest)


def submit_url(call: Call) -> Answer:
    """POST /process-image-async."""
    return _submit(call, "url", ImageRequest)


def submit_batch(call: Call) -> Answer:
    """POST /batch-process-images."""
    return _submit(call, "batch", BatchRequest)


def read_job(call: Call, job_id: str) -> Answer:
    """GET /jobs/{job_id}."""
    call.require_token(services.secrets())
    job = services.job_reader().read(job_id_from(job_id))
    unfinished = job.status in ("queued", "running")
    return _answer(HTTPStatus.OK, job, {"Cache-Control": "no-store"} | ({"Retry-After": "2"} if unfinished else {}))


def cancel_job(call: Call, job_id: str) -> Answer:
    """DELETE /jobs/{job_id}."""
    call.require_token(services.secrets())
    cancel(job_id_from(job_id), services.store(), services.executions(), services.settings())
    return _under_way(call, job_id_from(job_id), "cancelled")


def redeliver_job(call: Call, job_id: str) -> Answer:
    """POST /jobs/{job_id}/redeliver."""
    call.require_token(services.secrets())
    redeliver(job_id_from(job_id), services.store(), services.executions())
    return _under_way(call, job_id_from(job_id), "redelivery")


def _under_way(call: Call, job_id: str, what: str) -> Answer:
    logger.info(what, extra={"job_id": job_id})
    return _answer(HTTPStatus.ACCEPTED, JobAction(job_id=job_id), {"Location": call.url_of(f"/jobs/{job_id}")})


# ---------------------------------------------------------------- around jobs


def upload(call: Call) -> Answer:
    """POST /uploads."""
    call.require_token(services.secrets())
    form = create_upload(call.body(UploadRequest), services.store().bucket, services.settings().upload_expires)
    return _answer(HTTPStatus.CREATED, form)


def health(call: Call) -> Answer:  # noqa: ARG001
    """GET /health."""
    return _answer(HTTPStatus.OK, configuration.health(services.settings(), services.secrets()))


def cos_config(call: Call) -> Answer:
    """GET /cos/config."""
    call.require_token(services.secrets())
    return _answer(HTTPStatus.OK, configuration.cos_config(services.settings()))


def openapi(call: Call) -> Answer:
    """GET /openapi.json."""
    body = documents.openapi_json(call.url_of(""), api_keys=services.settings().access_control == "api-key")
    return Response(HTTPStatus.OK, content_type="application/json", body=body)


def docs(call: Call) -> Answer:  # noqa: ARG001
    """GET /docs."""
    page, headers = docs_page()
    return Response(HTTPStatus.OK, content_type="text/html; charset=utf-8", body=page, headers=dict(headers))


_ROUTES: list[tuple[list[str], str, Callable[..., Answer]]] = [
    (["POST"], "/process-image-async-b64", submit_base64),
    (["POST"], "/process-image-async", submit_url),
    (["POST"], "/batch-process-images", submit_batch),
    (["POST"], "/uploads", upload),
    (["GET", "HEAD"], "/jobs/<job_id>", read_job),
    (["DELETE"], "/jobs/<job_id>", cancel_job),
    (["POST"], "/jobs/<job_id>/redeliver", redeliver_job),
    (["GET", "HEAD"], "/health", health),
    (["GET", "HEAD"], "/cos/config", cos_config),
    (["GET", "HEAD"], "/openapi.json", openapi),
    (["GET", "HEAD"], "/docs", docs),
]


# ---------------------------------------------------------------- refusals


def _no_route(api: APIGatewayRestResolver) -> Answer:
    # As Powertools has it, a slash at the end makes no other route.
    path = api.current_event.path.rstrip("/")
    matching = [methods for methods, route, _ in _ROUTES if re.fullmatch(re.sub("<[^>]+>", "[^/]+", route), path)]
    allowed = ", ".join(sorted({"OPTIONS", *(method for methods in matching for method in methods)}))
    if not matching:
        return _refuse(NotFoundError("no such route: GET /openapi.json lists them all"))
    if api.current_event.http_method == "OPTIONS":
        return Response(HTTPStatus.NO_CONTENT, body="", headers={"Allow": allowed})
    if api.current_event.http_method in allowed:
        return _no_job_id(path.split("/")[2])
    return _refuse(MethodNotAllowedError(f"this route takes {allowed}", {"Allow": allowed}))


def _no_job_id(segment: str) -> Answer:
    """Powertools finds no route, though the method fits: a job id with characters that it takes in no path."""
    try:
        job_id_from(segment)
    except InvalidRequestError as error:
        return _invalid(error)
    return _refuse(NotFoundError("no such route: GET /openapi.json lists them all"))


def _refuse(problem: ProblemError) -> Answer:
    return _answer(problem.status, Problem(detail=problem.detail), problem.headers)


def _invalid(error: InvalidRequestError) -> Answer:
    return _answer(HTTPStatus.UNPROCESSABLE_ENTITY, ValidationProblem(detail=list(error.fields)))


def _unavailable(error: Exception) -> Answer:
    logger.warning("a service behind the API failed", extra={"error": f"{type(error).__name__}: {error}"})
    detail = "the service cannot record or read jobs at the moment; nothing was lost. Try again in some seconds"
    return _refuse(UnavailableError(detail, {"Retry-After": "5"}))


def _unexpected(error: Exception) -> Answer:
    logger.exception("unexpected error", exc_info=error)
    detail = "an unexpected error; the log has the details under this answer's x-correlation-id"
    return _answer(HTTPStatus.INTERNAL_SERVER_ERROR, Problem(detail=detail))
