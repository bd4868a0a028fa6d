"""The side of the relay that runs on this machine; `make test-sam-local` takes both."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from local import processes, relay
from standins.receiver import Receiver, Step
from tests.support.waiting import PATIENCE, wait_until


@pytest.fixture
def sockets(receiver: Receiver, tmp_path: Path) -> Iterator[dict[int, Path]]:
    """The sockets, by port, that lead to the receiver and to a port where nothing listens."""
    port = int(receiver.base_url.rpartition(":")[2])
    found = {number: tmp_path / f"{number}.sock" for number in (port, processes.free_port())}
    process = subprocess.Popen([sys.executable, relay.__file__, "here", str(tmp_path), *map(str, found)])
    try:
        wait_until(lambda: all(path.exists() for path in found.values()), what="the relay's sockets")
        yield found
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE)


def client(socket: Path) -> httpx2.Client:
    return httpx2.Client(base_url="http://relayed", transport=httpx2.HTTPTransport(uds=str(socket)), timeout=PATIENCE)


def test_large_bodies_pass_both_ways(receiver: Receiver, sockets: dict[int, Path]) -> None:
    receiver.script("/large", Step(body="b" * 3_000_000))
    with client(next(iter(sockets.values()))) as http:
        answers = [http.post("/large", content=b"a" * 3_000_000) for _ in range(2)]

    assert [len(answer.content) for answer in answers] == [3_000_000] * 2
    assert [len(one.body) for one in receiver.received("/large")] == [3_000_000] * 2


def test_where_nothing_listens_the_connection_ends(sockets: dict[int, Path]) -> None:
    with client(list(sockets.values())[1]) as http, pytest.raises(httpx2.TransportError):
        http.get("/")
    with client(next(iter(sockets.values()))) as http:
        assert http.get("/").status_code == 200
