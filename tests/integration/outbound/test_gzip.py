"""Files that come compressed although nobody asked for that."""

import gzip
import socket
import tracemalloc
import zlib

import pytest

from imagejobs.errors import SourceRefusedError
from imagejobs.outbound.connection import fetch, get
from imagejobs.outbound.network import UnusableAnswerError
from tests.integration.outbound.conftest import LOCAL
from tests.support.sockets import Serve, answering
from tests.support.waiting import PATIENCE


class TestGzip:
    """Some servers compress whatever they are asked for."""

    @pytest.mark.parametrize("coding", ["gzip", "x-gzip", " GZIP "])
    def test_is_undone(self, serve: Serve, coding: str) -> None:
        image = bytes(range(256)) * 2000
        receiver = serve(answering("200 OK", gzip.compress(image), f"Content-Encoding: {coding}"))

        assert fetch(receiver.url, LOCAL, max_bytes=len(image), timeout=PATIENCE) == image

    def test_of_a_key_set_is_undone_too(self, serve: Serve) -> None:
        receiver = serve(answering("200 OK", gzip.compress(b"{}"), "Content-Encoding: gzip"))

        assert get(receiver.url, {}, LOCAL, max_bytes=100, timeout=PATIENCE) == (200, b"{}")

    @pytest.mark.parametrize("coding", ["gzip", "identity"])
    def test_of_nothing_is_nothing(self, serve: Serve, coding: str) -> None:
        receiver = serve(answering("200 OK", b"", f"Content-Encoding: {coding}"))

        assert fetch(receiver.url, LOCAL, max_bytes=100, timeout=PATIENCE) == b""

    def test_bomb_is_refused_before_it_takes_the_memory(self, serve: Serve) -> None:
        bomb = gzip.compress(bytes(200_000_000))
        receiver = serve(answering("200 OK", bomb, "Content-Encoding: gzip"))
        fetch(serve(answering("200 OK")).url, LOCAL, max_bytes=1, timeout=PATIENCE)  # what is imported is not counted

        tracemalloc.start()
        try:
            with pytest.raises(SourceRefusedError, match="more than 1,000,000 bytes"):
                fetch(receiver.url, LOCAL, max_bytes=1_000_000, timeout=PATIENCE)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 5_000_000

    def test_that_holds_nothing_without_end_is_refused(self, serve: Serve) -> None:
        """Empty blocks (RFC 1951, 3.2.4) make a stream that never yields a byte."""

        def endless(connection: socket.socket, _head: bytes) -> None:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"")[:10])
            while True:
                connection.sendall(b"\x00\x00\x00\xff\xff" * 10_000)

        with pytest.raises(SourceRefusedError, match="more than 100,000 bytes"):
            fetch(serve(endless).url, LOCAL, max_bytes=100_000, timeout=PATIENCE)

    @pytest.mark.parametrize(
        ("body", "problem"),
        [
            (b"\x89PNG, and no gzip", "broken gzip data"),
            (zlib.compress(b"deflate"), "broken gzip data"),
            (gzip.compress(b"image", mtime=0)[:-8] + bytes(8), "broken gzip data"),
            (gzip.compress(b"image", mtime=0)[:-9], "does not end where the answer does"),
            (gzip.compress(b"one", mtime=0) + gzip.compress(b"two", mtime=0), "does not end where the answer does"),
        ],
    )
    def test_that_is_broken_is_refused(self, serve: Serve, body: bytes, problem: str) -> None:
        receiver = serve(answering("200 OK", body, "Content-Encoding: gzip"))

        with pytest.raises(SourceRefusedError, match=problem):
            fetch(receiver.url, LOCAL, max_bytes=1000, timeout=PATIENCE)
        with pytest.raises(UnusableAnswerError, match=problem):
            get(receiver.url, {}, LOCAL, max_bytes=1000, timeout=PATIENCE)

    @pytest.mark.parametrize("coding", ["br", "zstd", "deflate", "gzip, gzip", "gzip\r\nContent-Encoding: br"])
    def test_and_no_other_encoding_is_undone(self, serve: Serve, coding: str) -> None:
        receiver = serve(answering("200 OK", b"image", f"Content-Encoding: {coding}"))

        with pytest.raises(SourceRefusedError, match="a content encoding that nobody asked for"):
            fetch(receiver.url, LOCAL, max_bytes=100, timeout=PATIENCE)
