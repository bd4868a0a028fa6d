"""The side of the relay that runs on this machine; `make test-sam-local` takes both."""

import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from local import processes, relay
from standins.receiver import Receiver, Step
from tests.support.waiting import wait_until


def client(socket: Path) -> httpx2.Client:
    return httpx2.Client(base_url="http://relayed", transport=httpx2.HTTPTransport(uds=str(socket)), timeout=10)


def test_large_bodies_pass_both_ways_and_where_nothing_listens_the_connection_ends(tmp_path: Path) -> None:
    with Receiver() as receiver:
        ports = [receiver.base_url.rpartition(":")[2], str(processes.free_port())]
        open_socket, closed_socket = sockets = [tmp_path / f"{port}.sock" for port in ports]
        receiver.script("/large", Step(body="b" * 3_000_000))
        with subprocess.Popen([sys.executable, relay.__file__, "here", str(tmp_path), *ports]) as process:
            try:
                wait_until(lambda: all(socket.exists() for socket in sockets), what="the sockets")
                with client(closed_socket) as http, pytest.raises(httpx2.TransportError):
                    http.get("/")
                with client(open_socket) as http:
                    answers = [http.post("/large", content=b"a" * 3_000_000) for _ in range(2)]
            finally:
                process.terminate()

    assert [len(answer.content) for answer in answers] == [3_000_000] * 2
    assert [len(one.body) for one in receiver.received("/large")] == [3_000_000] * 2
