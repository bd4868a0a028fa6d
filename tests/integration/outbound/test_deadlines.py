"""When the guarded exchange ends: by its own deadline and its own limit, whatever the other side does.

Every server here goes on for PATIENCE or until the client hangs up: an exchange that ends before ended by itself.
"""

import contextlib
import itertools
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from imagejobs.errors import SourceUnavailableError
from imagejobs.outbound.connection import MAX_ANSWER_BYTES, fetch, post
from imagejobs.outbound.network import ExchangeFailedError, Network
from tests.integration.outbound.conftest import LOCAL, PUBLIC_ADDRESS, STRICT, Names
from tests.support.sockets import Behaviour, Serve, answering, dripping, hang
from tests.support.waiting import PATIENCE, wait_until

DEADLINE = 0.5
_OK = b"HTTP/1.1 200 OK\r\n"
_OK_1000 = _OK + b"Content-Length: 1000\r\n\r\n"


@contextmanager
def at_the_deadline() -> Iterator[None]:
    """Hold that what is done inside takes DEADLINE, and not until the other side gives up."""
    started = time.monotonic()
    yield
    assert 0.9 * DEADLINE < time.monotonic() - started < PATIENCE / 2


def test_a_name_that_does_not_resolve_in_time_ends_at_the_deadline() -> None:
    over = threading.Event()

    def resolve(_host: str, _port: int) -> list[str]:
        over.wait(PATIENCE)
        return [PUBLIC_ADDRESS]

    with at_the_deadline(), pytest.raises(ExchangeFailedError, match="timed out"):
        post("https://slow.test/", b"{}", {}, STRICT, DEADLINE, Network(resolve=resolve))
    over.set()


@pytest.mark.parametrize(
    "behaviour",
    [hang, dripping(_OK + b"X: "), dripping(b"", drop=b"HTTP/1.1 103 Early Hints\r\n\r\n")],
    ids=["hangs", "drips its head", "drips interim answers"],
)
def test_a_receiver_that_hangs_or_drips_ends_at_the_deadline(serve: Serve, behaviour: Behaviour) -> None:
    receiver = serve(behaviour)

    with at_the_deadline(), pytest.raises(ExchangeFailedError, match="timed out"):
        post(receiver.url, b"{}", {}, LOCAL, DEADLINE)


def test_a_handshake_that_hangs_ends_at_the_deadline(serve: Serve) -> None:
    names = Names(serve(hang).port, [PUBLIC_ADDRESS])

    with at_the_deadline(), pytest.raises(ExchangeFailedError, match="timed out"):
        post("https://silent.test/", b"{}", {}, STRICT, DEADLINE, names.network())


def test_a_receiver_that_reads_slowly_ends_at_the_deadline(serve: Serve) -> None:
    over = threading.Event()

    def read_slowly(connection: socket.socket, _head: bytes) -> None:
        while not over.wait(0.05) and connection.recv(1000):
            pass

    receiver = serve(read_slowly)

    with at_the_deadline(), pytest.raises(ExchangeFailedError, match="timed out"):
        post(receiver.url, bytes(30_000_000), {}, LOCAL, DEADLINE)
    over.set()


def test_a_body_that_drips_behind_its_status_ends_at_the_deadline_and_the_status_counts(serve: Serve) -> None:
    receiver = serve(dripping(_OK_1000))

    with at_the_deadline():
        assert post(receiver.url, b"{}", {}, LOCAL, 2 * DEADLINE) == 200


def test_a_source_that_drips_ends_at_the_deadline(serve: Serve) -> None:
    source = serve(dripping(_OK_1000))

    with at_the_deadline(), pytest.raises(SourceUnavailableError, match="timed out"):
        fetch(source.url, LOCAL, max_bytes=5000, timeout=DEADLINE)


def test_a_source_and_its_redirects_end_at_one_deadline(serve: Serve) -> None:
    """Each by itself would be in time, and the fourth would be refused with another message."""
    steps = itertools.count()

    def slow(connection: socket.socket, head: bytes) -> None:
        time.sleep(0.8 * DEADLINE)
        answering("302 Found", b"", f"Location: /{next(steps)}")(connection, head)

    source = serve(slow)

    with at_the_deadline(), pytest.raises(SourceUnavailableError, match="timed out"):
        fetch(source.url, LOCAL, max_bytes=100, timeout=2 * DEADLINE)


def test_an_endless_answer_is_read_up_to_64_kib(serve: Serve) -> None:
    sent, over = 0, threading.Event()

    def endless(connection: socket.socket, _head: bytes) -> None:
        nonlocal sent
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        connection.sendall(_OK + b"Transfer-Encoding: chunked\r\n\r\n")
        try:
            while sent < 50_000_000:
                connection.sendall(b"1000\r\n" + b"x" * 4096 + b"\r\n")
                sent += 4096
        finally:
            over.set()

    receiver = serve(endless)

    assert post(receiver.url, b"{}", {}, LOCAL, PATIENCE) == 200
    wait_until(over.is_set, what="the client to hang up")
    # Beside what was read, the kernel's buffers took some.
    assert MAX_ANSWER_BYTES <= sent < 20_000_000


def test_a_failed_exchange_lets_go_of_the_body_at_once(serve: Serve) -> None:
    """What a failure keeps alive until the garbage collector comes adds up in a warm sandbox: 40 MB each time."""
    receiver = serve(hang)
    with socket.create_server(("127.0.0.1", 0)) as unused:
        closed = unused.getsockname()[1]
    body = bytes(200_000)
    before = sys.getrefcount(body)

    for port in (receiver.port, closed):
        with contextlib.suppress(ExchangeFailedError):
            post(f"http://127.0.0.1:{port}/", body, {}, LOCAL, 0.2)
        assert sys.getrefcount(body) == before
