"""Files behind an `image_url`, fetched through the guard from real sockets."""

import gzip
import itertools
import socket
import time
import tracemalloc
import zlib

import pytest

from imagejobs import __version__
from imagejobs.errors import SourceRefusedError, SourceUnavailableError
from imagejobs.outbound.connection import fetch, get
from imagejobs.outbound.network import UnusableAnswerError
from imagejobs.outbound.policy import OutboundPolicy
from tests.integration.callback.test_connection import LOCAL, PUBLIC_ADDRESS, STRICT, Names, answering


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


def test_a_source_that_policy_forbids_is_refused_in_its_own_words():
    with pytest.raises(SourceRefusedError, match="image_url must begin with https"):
        fetch("http://example.com/a.png", STRICT, max_bytes=100, timeout=5)
    with pytest.raises(SourceRefusedError, match="link-local"):
        fetch("https://169.254.169.254/", STRICT, max_bytes=100, timeout=5)


def test_a_source_is_asked_under_the_services_own_name_for_the_file_as_it_is(serve):
    receiver = serve(answering("200 OK", b"image"))
    fetch(receiver.url, LOCAL, max_bytes=100, timeout=5)

    head = receiver.heads[0].decode()
    assert f"\r\nUser-Agent: wxo-image-jobs/{__version__}\r\n" in head
    assert "\r\nAccept-Encoding: identity\r\n" in head
    assert head.lower().count("user-agent:") == 1


class TestGzip:
    """Some servers compress whatever they are asked for."""

    @pytest.mark.parametrize("coding", ["gzip", "x-gzip", " GZIP "])
    def test_is_undone(self, serve, coding: str):
        image = bytes(range(256)) * 2000
        receiver = serve(answering("200 OK", gzip.compress(image), f"Content-Encoding: {coding}"))

        assert fetch(receiver.url, LOCAL, max_bytes=len(image), timeout=5) == image

    def test_of_a_key_set_is_undone_too(self, serve):
        receiver = serve(answering("200 OK", gzip.compress(b"{}"), "Content-Encoding: gzip"))

        assert get(receiver.url, {}, LOCAL, max_bytes=100, timeout=5) == (200, b"{}")

    @pytest.mark.parametrize("coding", ["gzip", "identity"])
    def test_of_nothing_is_nothing(self, serve, coding: str):
        receiver = serve(answering("200 OK", b"", f"Content-Encoding: {coding}"))

        assert fetch(receiver.url, LOCAL, max_bytes=100, timeout=5) == b""

    def test_bomb_is_refused_before_it_takes_the_memory(self, serve):
        bomb = gzip.compress(bytes(200_000_000))
        receiver = serve(answering("200 OK", bomb, "Content-Encoding: gzip"))
        fetch(serve(answering("200 OK")).url, LOCAL, max_bytes=1, timeout=5)  # what is imported is not counted

        tracemalloc.start()
        try:
            with pytest.raises(SourceRefusedError, match="more than 1,000,000 bytes"):
                fetch(receiver.url, LOCAL, max_bytes=1_000_000, timeout=5)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 5_000_000

    def test_that_holds_nothing_without_end_is_refused(self, serve):
        """Empty blocks (RFC 1951, 3.2.4) make a stream that never yields a byte."""

        def endless(connection: socket.socket, _: bytes) -> None:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"")[:10])
            while True:
                connection.sendall(b"\x00\x00\x00\xff\xff" * 10_000)

        with pytest.raises(SourceRefusedError, match="more than 100,000 bytes"):
            fetch(serve(endless).url, LOCAL, max_bytes=100_000, timeout=5)

    @pytest.mark.parametrize(
        ("body", "problem"),
        [
            (b"\x89PNG, and no gzip", "broken gzip data"),
            (zlib.compress(b"deflate"), "broken gzip data"),
            (gzip.compress(b"image")[:-8] + bytes(8), "broken gzip data"),
            (gzip.compress(b"image")[:-9], "does not end where the answer does"),
            (gzip.compress(b"one") + gzip.compress(b"two"), "does not end where the answer does"),
        ],
    )
    def test_that_is_broken_is_refused(self, serve, body: bytes, problem: str):
        receiver = serve(answering("200 OK", body, "Content-Encoding: gzip"))

        with pytest.raises(SourceRefusedError, match=problem):
            fetch(receiver.url, LOCAL, max_bytes=1000, timeout=5)
        with pytest.raises(UnusableAnswerError, match=problem):
            get(receiver.url, {}, LOCAL, max_bytes=1000, timeout=5)

    @pytest.mark.parametrize("coding", ["br", "zstd", "deflate", "gzip, gzip", "gzip\r\nContent-Encoding: br"])
    def test_and_no_other_encoding_is_undone(self, serve, coding: str):
        receiver = serve(answering("200 OK", b"image", f"Content-Encoding: {coding}"))

        with pytest.raises(SourceRefusedError, match="a content encoding that nobody asked for"):
            fetch(receiver.url, LOCAL, max_bytes=100, timeout=5)


def redirecting(location: str, status: str = "302 Found"):
    return answering(status, b"moved", f"Location: {location}")


class TestRedirects:
    @pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
    def test_is_followed(self, serve, status: str):
        image = serve(answering("200 OK", b"image"))

        assert fetch(serve(redirecting(image.url, status)).url, LOCAL, max_bytes=100, timeout=5) == b"image"

    @pytest.mark.parametrize(
        ("location", "asked"),
        [
            ("/there.png?a=1", "/there.png?a=1"),
            ("there.png", "/there.png"),
            ("../there.png", "/there.png"),
            ("?size=full", "/hook?size=full"),
            ("there.png#fragment", "/there.png"),
            ("//127.0.0.1:{port}/there", "/there"),
            ("HTTP://127.0.0.1:{port}/a%2Fb//c", "/a%2Fb//c"),
        ],
    )
    def test_is_read_from_where_it_was_given(self, serve, location: str, asked: str):
        behaviours = [None, answering("200 OK", b"image")]
        receiver = serve(lambda *seen: behaviours[0](*seen), behaviours[1])  # the port is known when it listens
        behaviours[0] = redirecting(location.format(port=receiver.port))

        assert fetch(receiver.url, LOCAL, max_bytes=100, timeout=5) == b"image"
        assert receiver.heads[1].decode().startswith(f"GET {asked} HTTP/1.1\r\n")

    def test_are_followed_three_times_and_no_fourth(self, serve):
        image = answering("200 OK", b"image")
        three = serve(*[redirecting(f"/{step}") for step in range(3)], image)
        four = serve(*[redirecting(f"/{step}") for step in range(4)], image)

        assert fetch(three.url, LOCAL, max_bytes=100, timeout=5) == b"image"
        with pytest.raises(SourceRefusedError, match="more than 3 times"):
            fetch(four.url, LOCAL, max_bytes=100, timeout=5)
        assert len(four.heads) == 4

    def test_without_a_place_to_go_is_an_answer_as_any_other(self, serve):
        with pytest.raises(SourceRefusedError, match="the server of image_url answered 302"):
            fetch(serve(answering("302 Found")).url, LOCAL, max_bytes=100, timeout=5)

    @pytest.mark.parametrize(
        ("location", "problem"),
        [
            ("http://169.254.169.254/latest/meta-data/", "link-local"),
            ("http://127.0.0.1:9001/2018-06-01/runtime/invocation/next", "Lambda's runtime API"),
            ("http://[::ffff:127.0.0.1]/", "not public"),
            ("http://2130706433/", "four decimal numbers"),
            ("http://user:pass@example.com/", "user info"),
            ("file:///etc/passwd", "absolute URL"),
            ("ftp://example.com/a.png", "absolute URL"),
            ("data:image/png;base64,aaaa", "absolute URL"),
            ("http:///example.com/a.png", "no valid host"),
            ("///example.com/a.png", "no valid host"),
            ("http:a.png", "absolute URL"),
            ("/a b.png", "a space"),
            ("\\\\example.com\\a.png", "a backslash"),
            ("/\u00e9.png", "outside ASCII"),
            ("http://one.example/\r\nLocation: http://two.example/", "a space"),
            ("/" + "a" * 3000, "the limit is 2048"),
        ],
    )
    def test_passes_the_whole_guard(self, serve, location: str, problem: str):
        receiver = serve(redirecting(location))

        with pytest.raises(SourceRefusedError, match=r"^the URL that image_url redirects to ") as refusal:
            fetch(receiver.url, LOCAL, max_bytes=100, timeout=5)
        assert problem in str(refusal.value)
        assert len(receiver.heads) == 1

    def test_to_a_host_that_is_not_allowed_is_refused(self, serve):
        policy = OutboundPolicy(allow_http=True, allow_private=True, allowed_hosts=("127.0.0.1",))
        receiver = serve(redirecting("http://localhost/a.png"))

        with pytest.raises(SourceRefusedError, match="not among the allowed"):
            fetch(receiver.url, policy, max_bytes=100, timeout=5)

    def test_resolves_and_checks_the_host_anew(self, serve, authority):
        made = authority("pictures.test")
        receiver = serve(redirecting("https://internal.test/a.png"), tls=made.server)
        names = Names(receiver.port, [PUBLIC_ADDRESS], [PUBLIC_ADDRESS, "10.0.0.1"])

        with pytest.raises(SourceRefusedError, match="redirects to names a host with an address that is not public"):
            fetch("https://pictures.test/", STRICT, max_bytes=9, timeout=5, network=names.network(made.client))
        assert names.resolved == ["pictures.test", "internal.test"]
        assert names.connected == [(PUBLIC_ADDRESS, 443)]

    def test_on_the_same_host_trusts_no_earlier_look_up(self, serve, authority):
        made = authority("pictures.test")
        receiver = serve(redirecting("/a.png"), tls=made.server)
        names = Names(receiver.port, [PUBLIC_ADDRESS], ["127.0.0.1"])

        with pytest.raises(SourceRefusedError, match="not public"):
            fetch("https://pictures.test/", STRICT, max_bytes=9, timeout=5, network=names.network(made.client))

    def test_is_followed_over_tls_with_the_certificate_of_the_name(self, serve, authority):
        made = authority("pictures.test")
        receiver = serve(redirecting("//pictures.test/a.png"), answering("200 OK", b"image"), tls=made.server)
        names = Names(receiver.port, [PUBLIC_ADDRESS], [PUBLIC_ADDRESS])

        fetched = fetch("https://pictures.test/", STRICT, max_bytes=9, timeout=5, network=names.network(made.client))
        assert fetched == b"image"
        assert receiver.names == ["pictures.test"] * 2

    @pytest.mark.parametrize("policy", [STRICT, LOCAL], ids=["strict", "http allowed"])
    def test_from_https_to_http_is_refused_whatever_is_allowed(self, serve, authority, policy: OutboundPolicy):
        made = authority("pictures.test")
        receiver = serve(redirecting("http://pictures.test/a.png"), tls=made.server)
        names = Names(receiver.port, [PUBLIC_ADDRESS], [PUBLIC_ADDRESS])

        with pytest.raises(SourceRefusedError, match="must begin with https://"):
            fetch("https://pictures.test/", policy, max_bytes=9, timeout=5, network=names.network(made.client))
        assert len(names.connected) == 1

    def test_all_end_at_one_deadline(self, serve):
        def slow(connection: socket.socket, head: bytes) -> None:
            time.sleep(0.4)
            redirecting(f"/{next(count)}")(connection, head)

        count = itertools.count()
        receiver = serve(slow)
        fetch(serve(answering("200 OK")).url, LOCAL, max_bytes=1, timeout=5)
        started = time.monotonic()

        with pytest.raises(SourceUnavailableError, match="timed out"):
            fetch(receiver.url, LOCAL, max_bytes=100, timeout=1)
        assert time.monotonic() - started < 1.9

    def test_to_a_server_that_fails_is_unavailable(self, serve):
        receiver = serve(redirecting("/there"), answering("503 Busy"))

        with pytest.raises(SourceUnavailableError, match="503"):
            fetch(receiver.url, LOCAL, max_bytes=100, timeout=5)

    def test_carries_no_cookie_along(self, serve):
        receiver = serve(answering("302 Found", b"", "Location: /there", "Set-Cookie: a=b"), answering("200 OK"))
        fetch(receiver.url, LOCAL, max_bytes=100, timeout=5)

        assert b"cookie" not in receiver.heads[1].lower()
