"""Files behind an `image_url`, fetched through the guard from real sockets."""

import gzip
import socket
import time

import pytest

from imagejobs.errors import SourceRefusedError, SourceUnavailableError
from imagejobs.outbound.connection import fetch
from tests.integration.callback.test_connection import LOCAL, STRICT, answering


def test_a_file_is_fetched_whole(serve):
    image = bytes(range(256)) * 2000
    receiver = serve(answering("200 OK", image, "Content-Type: image/png"))

    assert fetch(receiver.url, LOCAL, max_bytes=len(image), timeout=5) == image


def test_a_chunked_file_is_fetched_whole(serve):
    def chunked(connection: socket.socket, _: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")

    assert fetch(serve(chunked).url, LOCAL, max_bytes=5, timeout=5) == b"abcde"


@pytest.mark.parametrize("status", ["301 Moved Permanently", "403 Forbidden", "404 Not Found", "204 No Content"])
def test_a_source_that_does_not_answer_200_is_refused(serve, status: str):
    with pytest.raises(SourceRefusedError, match=status[:3]):
        fetch(serve(answering(status)).url, LOCAL, max_bytes=100, timeout=5)


@pytest.mark.parametrize("status", ["500 Oops", "503 Busy", "429 Slow Down", "408 Timeout"])
def test_a_source_that_may_recover_is_unavailable(serve, status: str):
    with pytest.raises(SourceUnavailableError, match=status[:3]):
        fetch(serve(answering(status)).url, LOCAL, max_bytes=100, timeout=5)


def test_a_source_of_too_many_bytes_is_refused_while_it_streams(serve):
    def endless(connection: socket.socket, _: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(bytes(65536))

    with pytest.raises(SourceRefusedError, match="more than 100,000 bytes"):
        fetch(serve(endless).url, LOCAL, max_bytes=100_000, timeout=5)


def test_a_source_that_breaks_off_is_unavailable(serve):
    def break_off(connection: socket.socket, _: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc")

    with pytest.raises(SourceUnavailableError, match="broke off"):
        fetch(serve(break_off).url, LOCAL, max_bytes=5000, timeout=5)


def test_a_source_that_drips_ends_at_the_deadline(serve):
    def drip(connection: socket.socket, _: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(40):
            connection.sendall(b"x")
            time.sleep(0.05)

    started = time.monotonic()

    with pytest.raises(SourceUnavailableError, match="timed out"):
        fetch(serve(drip).url, LOCAL, max_bytes=5000, timeout=0.5)
    assert 0.4 < time.monotonic() - started < 1.4


def test_a_source_that_compresses_unasked_is_not_decompressed(serve):
    bomb = gzip.compress(bytes(10_000_000))
    receiver = serve(answering("200 OK", bomb, "Content-Encoding: gzip"))

    assert fetch(receiver.url, LOCAL, max_bytes=len(bomb), timeout=5) == bomb
    assert b"\r\nAccept-Encoding: identity\r\n" in receiver.heads[0]


def test_a_source_that_policy_forbids_is_refused_in_its_own_words():
    with pytest.raises(SourceRefusedError, match="image_url must begin with https"):
        fetch("http://example.com/a.png", STRICT, max_bytes=100, timeout=5)
    with pytest.raises(SourceRefusedError, match="link-local"):
        fetch("https://169.254.169.254/", STRICT, max_bytes=100, timeout=5)
