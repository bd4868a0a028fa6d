"""The callback receiver."""

import time
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from standins.receiver import Receiver, Step


def test_it_records_what_comes(receiver: Receiver, http: httpx2.Client) -> None:
    begun = time.time()
    answer = http.post(receiver.url("/hook?a=1"), json={"status": "completed"}, headers={"Webhook-Id": "job"})

    (one,) = receiver.received("/hook")
    assert answer.status_code == 200
    assert (one.method, one.path, one.query, one.headers["webhook-id"]) == ("POST", "/hook", "a=1", "job")
    assert one.json() == {"status": "completed"}
    assert begun <= one.at <= time.time()


def test_it_answers_by_its_script_path_by_path(receiver: Receiver, http: httpx2.Client) -> None:
    receiver.script("/hook", 503, Step(status=302, headers={"Location": "http://elsewhere.test/"}), 200)

    answers = [http.post(receiver.url("/hook")) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [503, 302, 200, 200]
    assert answers[1].headers["Location"] == "http://elsewhere.test/"
    assert http.post(receiver.url("/other")).status_code == 200
    receiver.script("/gone", Step(status=410, body="no more"))
    assert http.post(receiver.url("/gone")).text == "no more"


def test_it_drops_hangs_and_dawdles(receiver: Receiver, http: httpx2.Client) -> None:
    receiver.script("/drop", Step(drop=True), 200)
    receiver.script("/hang", Step(hang=30))
    receiver.script("/slow", Step(delay=0.3))

    with pytest.raises(httpx2.TransportError):
        http.post(receiver.url("/drop"))
    assert http.post(receiver.url("/drop")).status_code == 200
    with pytest.raises(httpx2.ReadTimeout):
        http.post(receiver.url("/hang"), timeout=0.3)
    begun = time.monotonic()
    assert http.post(receiver.url("/slow")).status_code == 200
    assert time.monotonic() - begun >= 0.3
    assert len(receiver.received()) == 4


def test_it_takes_a_body_of_40_mb_and_chunks(receiver: Receiver, http: httpx2.Client) -> None:
    body = b"x" * 40_000_000
    http.post(receiver.url("/large"), content=body)
    http.post(receiver.url("/chunked"), content=(piece for piece in (b"one ", b"two")))

    assert receiver.received("/large")[0].body == body
    assert receiver.received("/chunked")[0].body == b"one two"


def test_waiting_has_an_end(receiver: Receiver, http: httpx2.Client) -> None:
    http.post(receiver.url("/hook"))

    with pytest.raises(TimeoutError, match="1 of 2 requests came to /hook"):
        receiver.wait(2, path="/hook", timeout=0.2)


def test_it_is_steered_over_http(receiver: Receiver, http: httpx2.Client) -> None:
    http.put(f"{receiver.base_url}/_control/scripts/a/b", json=[503, {"status": 410}]).raise_for_status()
    answers = [http.post(receiver.url("/a/b"), content=b"body").status_code for _ in range(2)]

    listed = http.get(f"{receiver.base_url}/_control/requests", params={"path": "/a/b"}).json()
    assert answers == [503, 410]
    assert [entry["body"] for entry in listed] == ["body", "body"]
    http.post(f"{receiver.base_url}/_control/reset").raise_for_status()
    assert http.get(f"{receiver.base_url}/_control/requests").json() == []


def test_many_at_once(receiver: Receiver, http: httpx2.Client) -> None:
    with ThreadPoolExecutor(30) as pool:
        statuses = list(pool.map(lambda n: http.post(receiver.url(f"/{n % 3}")).status_code, range(60)))

    assert statuses == [200] * 60
    assert len(receiver.received()) == 60
