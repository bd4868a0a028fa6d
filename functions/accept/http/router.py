"""Makes the API of the route table, and puts every answer and refusal into the form of docs/api.md."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, CORSConfig, Response
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent

from functions.accept.http.call import (
    Answer,
    Call,
    base_url_of,
    caller_of,
    correlation_id_of,
    read_request,
    require_token,
)
from functions.accept.http.handlers import logger
from functions.accept.http.headers import CORRELATION_ID, REPLACED_CORRELATION_ID
from functions.accept.http.problems import (
    MethodNotAllowedError,
    NotFoundError,
)
from functions.accept.http.refusals import guarded, refuse
from functions.accept.http.route import Route
from functions.accept.http.routes import ROUTES
from functions.accept.resources import AcceptResources

_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

# What a header of an answer can repeat of one of the request as it is: visible ASCII, but for the escaping % itself.
_VISIBLE = "".join(map(chr, range(0x21, 0x7F))).replace("%", "")
_MAX_REPEATED = 128


def build_api(resources: AcceptResources) -> APIGatewayRestResolver:
    """Make the resolver of the API, open to browsers of the configured origins."""
    origins = resources.settings.origins
    api = APIGatewayRestResolver(cors=_cors(origins) if origins else None)
    api.use([_contract_form(depends_on_origin=bool(origins))])
    for route in ROUTES:
        api.route(route.rule, method=route.methods)(_answered_by(route, api, resources))
    api.not_found(lambda _: _no_route(api))
    return api


def _cors(origins: list[str]) -> CORSConfig:
    return CORSConfig(
        allow_origin=origins[0],
        extra_origins=origins[1:],
        allow_headers=sorted({name for route in ROUTES for name in route.header_names}),
        expose_headers=["Location", "Preference-Applied", "Retry-After", CORRELATION_ID, REPLACED_CORRELATION_ID],
        max_age=600,
    )


def _answered_by(route: Route[Any], api: APIGatewayRestResolver, resources: AcceptResources) -> Callable[[], Answer]:
    def handle() -> Answer:
        event = api.current_event
        # Powertools looks for the method within the route's: "ET" and "" would be GET.
        if event.http_method not in route.methods:
            return _no_route(api)
        if not route.open:
            require_token(event, resources.secrets)
        call = Call(
            sent=read_request(route.request, event, route.path_parameters(event.path) or {}, resources.settings),
            resources=resources,
            correlation_id=api.context["correlation_id"],
            caller=caller_of(event),
            base_url=base_url_of(event),
        )
        return route.handler(call)

    return handle


def _contract_form(*, depends_on_origin: bool) -> Callable[..., Answer]:
    """Around every route: the correlation id in logs and answer, and every refusal as docs/api.md says it."""

    def middleware(api: APIGatewayRestResolver, next_middleware: Callable[..., Answer]) -> Answer:
        correlation_id, replaced = correlation_id_of(api.current_event)
        api.append_context(correlation_id=correlation_id)  # type: ignore[no-untyped-call]
        told = {CORRELATION_ID: correlation_id}
        if replaced:
            told[REPLACED_CORRELATION_ID] = quote(replaced[:_MAX_REPEATED], safe=_VISIBLE, errors="replace")
        keys = {name.removeprefix("x-").replace("-", "_"): value for name, value in told.items()}
        caller, route = caller_of(api.current_event), _route_of(api.current_event)
        with logger.append_context_keys(caller=caller, route=route, **keys):
            answered = guarded(lambda: next_middleware(api))
            answered.headers |= {**told, "X-Content-Type-Options": "nosniff"}
            logger.info("answered", extra={"status": int(answered.status_code)})
        if depends_on_origin:
            answered.headers["Vary"] = "Origin"  # a cache must not hand one origin's answer to another
        if api.current_event.http_method == "HEAD":
            answered.body = ""
        return answered

    return middleware


def _route_of(event: APIGatewayProxyEvent) -> str:
    """Method and path of the route table for the log; what a stranger made up is in no log."""
    path = next((route.path for route in ROUTES if route.path_parameters(event.path) is not None), "(no route)")
    return f"{event.http_method} {path}" if event.http_method in _METHODS else path


def _no_route(api: APIGatewayRestResolver) -> Answer:
    event = api.current_event
    methods = {method for route in ROUTES if route.path_parameters(event.path) is not None for method in route.methods}
    if not methods:
        return refuse(NotFoundError("there is no such route: GET /openapi.json lists them all"))
    allowed = ", ".join(sorted({"OPTIONS", *methods}))
    if event.http_method == "OPTIONS":
        return Response(HTTPStatus.NO_CONTENT, body="", headers={"Allow": allowed})
    return refuse(MethodNotAllowedError(f"this route takes {allowed}", {"Allow": allowed}))
