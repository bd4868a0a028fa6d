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
    receiver.script("/hook", 503, Step(410, body="no more"), Step(drop=True), 200)
    receiver.script("/hang", Step(hang=30))

    answers = [http.post(receiver.url("/hook")) for _ in range(2)]
    with pytest.raises(httpx2.TransportError):
        http.post(receiver.url("/hook"))
    answers += [http.post(receiver.url(path)) for path in ("/hook", "/hook", "/other")]
    with pytest.raises(httpx2.ReadTimeout):
        http.post(receiver.url("/hang"), timeout=0.3)

    assert [answer.status_code for answer in answers] == [503, 410, 200, 200, 200]
    assert answers[1].text == "no more"


def test_it_takes_large_and_chunked_bodies_many_at_once(receiver: Receiver, http: httpx2.Client) -> None:
    large = b"x" * 10_000_000
    with ThreadPoolExecutor(20) as pool:
        small = pool.map(lambda n: http.post(receiver.url(f"/{n % 3}")).status_code, range(40))
        http.post(receiver.url("/large"), content=large, timeout=30)
        http.post(receiver.url("/chunked"), content=(piece for piece in (b"one ", b"two")))

    assert list(small) == [200] * 40
    assert [receiver.received(path)[0].body for path in ("/large", "/chunked")] == [large, b"one two"]


def test_waiting_has_an_end(receiver: Receiver, http: httpx2.Client) -> None:
    http.post(receiver.url("/hook"))

    with pytest.raises(TimeoutError, match="1 of 2 requests came to /hook"):
        receiver.wait(2, path="/hook", timeout=0.2)


def test_another_process_reads_and_forgets_what_came(receiver: Receiver, http: httpx2.Client) -> None:
    for path in ("/a/b", "/c"):
        http.post(receiver.url(path), content=b"body")

    with httpx2.Client(base_url=f"{receiver.base_url}/_control") as control:
        (listed,) = control.get("/requests", params={"path": "/a/b"}).json()
        assert (listed["body"], listed["headers"]["content-length"]) == ("body", "4")
        control.post("/reset").raise_for_status()
        assert control.get("/requests").json() == []
