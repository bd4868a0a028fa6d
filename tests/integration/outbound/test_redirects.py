"""Redirects of an `image_url`: followed up to three times, each through the whole guard."""

import socket

import pytest

from imagejobs.errors import SourceRefusedError, SourceUnavailableError
from imagejobs.outbound.connection import fetch
from imagejobs.outbound.policy import OutboundPolicy
from tests.integration.outbound.conftest import LOCAL, PUBLIC_ADDRESS, STRICT, Certify, Names
from tests.support.sockets import Behaviour, Serve, answering
from tests.support.waiting import PATIENCE


def redirecting(location: str, status: str = "302 Found") -> Behaviour:
    return answering(status, b"moved", f"Location: {location}")


class TestRedirects:
    @pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
    def test_is_followed(self, serve: Serve, status: str) -> None:
        image = serve(answering("200 OK", b"image"))

        assert fetch(serve(redirecting(image.url, status)).url, LOCAL, max_bytes=100, timeout=PATIENCE) == b"image"

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
    def test_is_read_from_where_it_was_given(self, serve: Serve, location: str, asked: str) -> None:
        def redirect(connection: socket.socket, head: bytes) -> None:
            # Its own port is known when it listens.
            redirecting(location.format(port=receiver.port))(connection, head)

        receiver = serve(redirect, answering("200 OK", b"image"))

        assert fetch(receiver.url, LOCAL, max_bytes=100, timeout=PATIENCE) == b"image"
        assert receiver.heads[1].decode().startswith(f"GET {asked} HTTP/1.1\r\n")

    def test_are_followed_three_times_and_no_fourth(self, serve: Serve) -> None:
        image = answering("200 OK", b"image")
        three = serve(*[redirecting(f"/{step}") for step in range(3)], image)
        four = serve(*[redirecting(f"/{step}") for step in range(4)], image)

        assert fetch(three.url, LOCAL, max_bytes=100, timeout=PATIENCE) == b"image"
        with pytest.raises(SourceRefusedError, match="more than 3 times"):
            fetch(four.url, LOCAL, max_bytes=100, timeout=PATIENCE)
        assert len(four.heads) == 4

    def test_without_a_place_to_go_is_an_answer_as_any_other(self, serve: Serve) -> None:
        with pytest.raises(SourceRefusedError, match="the server of image_url answered 302"):
            fetch(serve(answering("302 Found")).url, LOCAL, max_bytes=100, timeout=PATIENCE)

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
    def test_passes_the_whole_guard(self, serve: Serve, location: str, problem: str) -> None:
        receiver = serve(redirecting(location))

        with pytest.raises(SourceRefusedError, match=r"^the URL that image_url redirects to ") as refusal:
            fetch(receiver.url, LOCAL, max_bytes=100, timeout=PATIENCE)
        assert problem in str(refusal.value)
        assert len(receiver.heads) == 1

    def test_to_a_host_that_is_not_allowed_is_refused(self, serve: Serve) -> None:
        policy = OutboundPolicy(allow_http=True, allow_private=True, allowed_hosts=("127.0.0.1",))
        receiver = serve(redirecting("http://localhost/a.png"))

        with pytest.raises(SourceRefusedError, match="not among the allowed"):
            fetch(receiver.url, policy, max_bytes=100, timeout=PATIENCE)

    def test_resolves_and_checks_the_host_anew(self, serve: Serve, certify: Certify) -> None:
        made = certify("pictures.test")
        receiver = serve(redirecting("https://internal.test/a.png"), tls=made.server)
        names = Names(receiver.port, [PUBLIC_ADDRESS], [PUBLIC_ADDRESS, "10.0.0.1"])

        with pytest.raises(SourceRefusedError, match="redirects to names a host with an address that is not public"):
            fetch("https://pictures.test/", STRICT, max_bytes=9, timeout=PATIENCE, network=names.network(made.client))
        assert names.resolved == ["pictures.test", "internal.test"]
        assert names.connected == [(PUBLIC_ADDRESS, 443)]

    def test_on_the_same_host_trusts_no_earlier_look_up(self, serve: Serve, certify: Certify) -> None:
        made = certify("pictures.test")
        receiver = serve(redirecting("/a.png"), tls=made.server)
        names = Names(receiver.port, [PUBLIC_ADDRESS], ["127.0.0.1"])

        with pytest.raises(SourceRefusedError, match="not public"):
            fetch("https://pictures.test/", STRICT, max_bytes=9, timeout=PATIENCE, network=names.network(made.client))

    def test_is_followed_over_tls_with_the_certificate_of_the_name(self, serve: Serve, certify: Certify) -> None:
        made = certify("pictures.test")
        receiver = serve(redirecting("//pictures.test/a.png"), answering("200 OK", b"image"), tls=made.server)
        names = Names(receiver.port, [PUBLIC_ADDRESS], [PUBLIC_ADDRESS])

        fetched = fetch(
            "https://pictures.test/", STRICT, max_bytes=9, timeout=PATIENCE, network=names.network(made.client)
        )
        assert fetched == b"image"
        assert receiver.names == ["pictures.test"] * 2

    @pytest.mark.parametrize("policy", [STRICT, LOCAL], ids=["strict", "http allowed"])
    def test_from_https_to_http_is_refused_whatever_is_allowed(
        self, serve: Serve, certify: Certify, policy: OutboundPolicy
    ) -> None:
        made = certify("pictures.test")
        receiver = serve(redirecting("http://pictures.test/a.png"), tls=made.server)
        names = Names(receiver.port, [PUBLIC_ADDRESS], [PUBLIC_ADDRESS])

        with pytest.raises(SourceRefusedError, match="must begin with https://"):
            fetch("https://pictures.test/", policy, max_bytes=9, timeout=PATIENCE, network=names.network(made.client))
        assert len(names.connected) == 1

    def test_to_a_server_that_fails_is_unavailable(self, serve: Serve) -> None:
        receiver = serve(redirecting("/there"), answering("503 Busy"))

        with pytest.raises(SourceUnavailableError, match="503"):
            fetch(receiver.url, LOCAL, max_bytes=100, timeout=PATIENCE)

    def test_carries_no_cookie_along(self, serve: Serve) -> None:
        receiver = serve(answering("302 Found", b"", "Location: /there", "Set-Cookie: a=b"), answering("200 OK"))
        fetch(receiver.url, LOCAL, max_bytes=100, timeout=PATIENCE)

        assert b"cookie" not in receiver.heads[1].lower()
