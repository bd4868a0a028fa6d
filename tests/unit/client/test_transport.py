"""How requests are tried, and what refusals become."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx2
import pytest

from imagejobs_client import (
    APIError,
    ConflictError,
    Connection,
    InvalidRequestError,
    NotFoundError,
    Retries,
    ServiceUnreachableError,
    TooLargeError,
    TooManyRequestsError,
    UnauthorizedError,
    UnavailableError,
    UnexpectedAnswerError,
)
from imagejobs_client.transport import Transport, retry_after

type Answer = Callable[[httpx2.Request], httpx2.Response]


@contextmanager
def transport(*answers: httpx2.Response | Exception) -> Iterator[tuple[Transport, list[httpx2.Request], list[float]]]:
    """A transport over `answers` in turn, the requests that it makes, and the seconds that it waits."""
    asked: list[httpx2.Request] = []
    waited: list[float] = []
    left = iter(answers)

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        found = next(left)
        if isinstance(found, Exception):
            raise found
        return found

    connection = Connection(address="https://one.example/v1", api_key="k")
    wire = httpx2.MockTransport(answer)
    with closing(Transport(connection, Retries(tries=3, sleep=waited.append), {"transport": wire})) as made:
        yield made, asked, waited


def busy(seconds: str) -> httpx2.Response:
    return httpx2.Response(429, headers={"Retry-After": seconds}, json={"detail": "too many"})


def test_a_busy_service_is_asked_again_when_it_says() -> None:
    with transport(busy("7"), httpx2.Response(503), httpx2.Response(200, json={})) as (made, asked, waited):
        made.read("GET", "/jobs", query={"limit": 5, "cursor": None})

    assert [str(one.url) for one in asked] == ["https://one.example/v1/jobs?limit=5"] * 3
    assert waited[0] == 7
    assert 0 < waited[1] <= 1


def test_the_tries_are_bounded() -> None:
    with transport(*[busy("1")] * 4) as (made, asked, _), pytest.raises(TooManyRequestsError, match="too many"):
        made.request("GET", "/jobs")

    assert len(asked) == 3


def test_a_wait_of_hours_is_told_rather_than_waited() -> None:
    with transport(busy("3600")) as (made, _, waited), pytest.raises(TooManyRequestsError):
        made.request("GET", "/jobs")

    assert waited == []


def test_a_connection_that_breaks_is_tried_again() -> None:
    broken = httpx2.ConnectError("refused")
    with transport(broken, httpx2.ReadError("reset"), httpx2.Response(200, json={"ok": True})) as (made, _, _):
        assert made.read("GET", "/health") == {"ok": True}
    with (
        transport(broken, broken, broken) as (made, _, _),
        pytest.raises(ServiceUnreachableError, match=r"one\.example"),
    ):
        made.read("GET", "/health")


@pytest.mark.parametrize("answer", [busy("1"), httpx2.ReadError("reset")])
def test_what_must_not_happen_twice_is_asked_once(answer: httpx2.Response | Exception) -> None:
    with transport(answer) as (made, asked, _), pytest.raises((TooManyRequestsError, ServiceUnreachableError)):
        made.request("POST", "/jobs/x/redeliver", once=True)

    assert len(asked) == 1


@pytest.mark.parametrize(
    ("status", "body", "kind", "message"),
    [
        (401, {"detail": "the workshop token is missing"}, UnauthorizedError, "the workshop token is missing"),
        (404, {"detail": "there is no job x"}, NotFoundError, "there is no job x"),
        (409, {"detail": "too late"}, ConflictError, "too late"),
        (413, {"detail": "over the limit"}, TooLargeError, "over the limit"),
        (418, {"detail": "a teapot"}, APIError, "a teapot"),
        (500, {"detail": "COS_ENDPOINT is missing"}, UnavailableError, "COS_ENDPOINT is missing"),
        (
            422,
            {
                "detail": [
                    {"loc": ["body", "prompt"], "msg": "expected text"},
                    {"loc": ["body", "model"], "msg": "model: expected another"},
                    {"loc": ["body"], "msg": "no image"},
                ]
            },
            InvalidRequestError,
            "prompt: expected text; model: expected another; no image",
        ),
    ],
)
def test_a_refusal_has_the_services_own_message(status: int, body: object, kind: type[APIError], message: str) -> None:
    refused = httpx2.Response(status, json=body, headers={"x-correlation-id": "c-1"})
    with transport(refused) as (made, _, _), pytest.raises(kind) as caught:
        made.request("POST", "/process-image-async", json={})

    assert (str(caught.value), caught.value.status, caught.value.correlation_id) == (message, status, "c-1")


@pytest.mark.parametrize(("status", "kind"), [(403, UnauthorizedError), (404, NotFoundError)])
def test_a_gateway_without_the_api_leads_to_the_address(status: int, kind: type[APIError]) -> None:
    gone = httpx2.Response(status, json={"message": "Gone"})
    asks = r"^Gone: is the stack deployed, and https://one\.example/v1 its address\?$"
    with transport(gone) as (made, _, _), pytest.raises(kind, match=asks):
        made.request("GET", "/jobs")


def test_a_page_of_a_proxy_is_no_message() -> None:
    page = httpx2.Response(400, html="<html>Not here</html>")
    with transport(page) as (made, _, _), pytest.raises(APIError, match=r"^HTTP 400$"):
        made.request("GET", "/health")


def test_an_answer_that_is_not_json_is_told() -> None:
    with (
        transport(httpx2.Response(200, html="<html>")) as (made, _, _),
        pytest.raises(UnexpectedAnswerError, match="JSON"),
    ):
        made.read("GET", "/health")


def test_a_redirect_never_takes_the_key_elsewhere() -> None:
    moved = httpx2.Response(307, headers={"Location": "https://elsewhere.example"})
    with transport(moved) as (made, asked, _), pytest.raises(APIError):
        made.request("GET", "/jobs")

    assert [one.url.host for one in asked] == ["one.example"]


def test_retry_after_is_a_number_or_a_date() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)

    assert retry_after(httpx2.Response(429, headers={"Retry-After": "5"})) == 5
    assert retry_after(httpx2.Response(429, headers={"Retry-After": date})) == pytest.approx(3600, abs=60)


@pytest.mark.parametrize("headers", [{}, {"Retry-After": "soon"}])
def test_no_retry_after_is_none(headers: dict[str, str]) -> None:
    assert retry_after(httpx2.Response(429, headers=headers)) is None
