"""Files behind an `image_url`, fetched through the guard from real sockets."""

import socket

import pytest

from imagejobs import __version__
from imagejobs.errors import SourceRefusedError, SourceUnavailableError
from imagejobs.outbound.connection import fetch
from tests.integration.outbound.conftest import LOCAL, STRICT
from tests.support.sockets import Serve, answering
from tests.support.waiting import PATIENCE


def test_a_file_is_fetched_whole(serve: Serve) -> None:
    image = bytes(range(256)) * 2000
    receiver = serve(answering("200 OK", image, "Content-Type: image/png"))

    assert fetch(receiver.url, LOCAL, max_bytes=len(image), timeout=PATIENCE) == image


def test_a_chunked_file_is_fetched_whole(serve: Serve) -> None:
    def chunked(connection: socket.socket, _head: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")

    assert fetch(serve(chunked).url, LOCAL, max_bytes=5, timeout=PATIENCE) == b"abcde"


@pytest.mark.parametrize("status", ["301 Moved Permanently", "403 Forbidden", "404 Not Found", "204 No Content"])
def test_a_source_that_does_not_answer_200_is_refused(serve: Serve, status: str) -> None:
    with pytest.raises(SourceRefusedError, match=status[:3]):
        fetch(serve(answering(status)).url, LOCAL, max_bytes=100, timeout=PATIENCE)


@pytest.mark.parametrize("status", ["500 Oops", "503 Busy", "429 Slow Down", "408 Timeout"])
def test_a_source_that_may_recover_is_unavailable(serve: Serve, status: str) -> None:
    with pytest.raises(SourceUnavailableError, match=status[:3]):
        fetch(serve(answering(status)).url, LOCAL, max_bytes=100, timeout=PATIENCE)


def test_a_source_of_too_many_bytes_is_refused_while_it_streams(serve: Serve) -> None:
    def endless(connection: socket.socket, _head: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(bytes(65536))

    with pytest.raises(SourceRefusedError, match="more than 100,000 bytes"):
        fetch(serve(endless).url, LOCAL, max_bytes=100_000, timeout=PATIENCE)


def test_a_source_that_breaks_off_is_unavailable(serve: Serve) -> None:
    def break_off(connection: socket.socket, _head: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc")

    with pytest.raises(SourceUnavailableError, match="broke off"):
        fetch(serve(break_off).url, LOCAL, max_bytes=5000, timeout=PATIENCE)


def test_a_source_that_policy_forbids_is_refused_in_its_own_words() -> None:
    with pytest.raises(SourceRefusedError, match="image_url must begin with https"):
        fetch("http://example.com/a.png", STRICT, max_bytes=100, timeout=PATIENCE)
    with pytest.raises(SourceRefusedError, match="link-local"):
        fetch("https://169.254.169.254/", STRICT, max_bytes=100, timeout=PATIENCE)


def test_a_source_is_asked_under_the_services_own_name_for_the_file_as_it_is(serve: Serve) -> None:
    receiver = serve(answering("200 OK", b"image"))
    fetch(receiver.url, LOCAL, max_bytes=100, timeout=PATIENCE)

    head = receiver.heads[0].decode()
    assert f"\r\nUser-Agent: wxo-image-jobs/{__version__}\r\n" in head
    assert "\r\nAccept-Encoding: identity\r\n" in head
    assert head.lower().count("user-agent:") == 1
