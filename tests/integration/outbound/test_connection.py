"""The guarded exchange, on real sockets: what is connected to, what is sent, and what is read."""

import socket
import threading

import pytest

from imagejobs.outbound.connection import post
from imagejobs.outbound.network import ExchangeFailedError, Network
from imagejobs.outbound.policy import UrlRefusedError
from tests.integration.outbound.conftest import LOCAL, PUBLIC_ADDRESS, STRICT, Certify, Names
from tests.support.sockets import Behaviour, Serve, answering, read_body
from tests.support.waiting import PATIENCE


def test_the_body_and_headers_arrive_and_the_status_comes_back(serve: Serve) -> None:
    received: list[bytes] = []

    def behaviour(connection: socket.socket, head: bytes) -> None:
        received.append(read_body(connection, head))
        connection.sendall(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")

    receiver = serve(behaviour)

    status = post(receiver.url + "?x=1", b'{"a":1}', {"Content-Type": "application/json"}, LOCAL, PATIENCE)

    assert status == 202
    assert received == [b'{"a":1}']
    head = receiver.heads[0].decode()
    assert head.startswith("POST /hook?x=1 HTTP/1.1\r\n")
    assert f"\r\nHost: 127.0.0.1:{receiver.port}\r\n" in head
    assert "\r\nContent-Type: application/json\r\n" in head
    assert head.lower().count("host:") == 1


def test_the_connection_goes_to_the_checked_address_with_sni_host_and_certificate_of_the_name(
    serve: Serve, certify: Certify
) -> None:
    made = certify("hooks.receiver.test")
    receiver = serve(answering("200 OK"), tls=made.server)
    names = Names(receiver.port, [PUBLIC_ADDRESS])

    status = post("https://hooks.receiver.test/x", b"{}", {}, STRICT, PATIENCE, names.network(made.client))

    assert status == 200
    assert names.connected == [(PUBLIC_ADDRESS, 443)]
    assert receiver.names == ["hooks.receiver.test"]
    assert b"\r\nHost: hooks.receiver.test\r\n" in receiver.heads[0]


def test_a_certificate_of_another_name_is_not_accepted(serve: Serve, certify: Certify) -> None:
    made = certify("other.test")
    receiver = serve(answering("200 OK"), tls=made.server)
    names = Names(receiver.port, [PUBLIC_ADDRESS])

    with pytest.raises(ExchangeFailedError, match="certificate"):
        post("https://hooks.receiver.test/", b"{}", {}, STRICT, PATIENCE, names.network(made.client))

    assert receiver.heads == []


def test_a_rebinding_resolver_is_asked_once_and_its_second_answer_never_used(serve: Serve, certify: Certify) -> None:
    made = certify("rebind.test")
    receiver = serve(answering("200 OK"), tls=made.server)
    names = Names(receiver.port, [PUBLIC_ADDRESS], ["127.0.0.1"])

    post("https://rebind.test/", b"{}", {}, STRICT, PATIENCE, names.network(made.client))
    assert names.resolved == ["rebind.test"]
    assert names.connected == [(PUBLIC_ADDRESS, 443)]

    # The next attempt resolves anew, and sees the second answer for what it is.
    with pytest.raises(UrlRefusedError, match="not public"):
        post("https://rebind.test/", b"{}", {}, STRICT, PATIENCE, names.network(made.client))
    assert names.connected == [(PUBLIC_ADDRESS, 443)]


@pytest.mark.parametrize(
    "answer",
    [
        ["127.0.0.1"],
        [PUBLIC_ADDRESS, "10.0.0.1"],
        [PUBLIC_ADDRESS, "::1"],
        ["169.254.169.254"],
        ["::ffff:127.0.0.1"],
        ["64:ff9b::7f00:1"],
        ["2002:7f00:1::"],
        ["fe80::1%eth0"],
        ["fd00:ec2::254"],
    ],
)
def test_one_address_that_is_not_public_refuses_the_name(answer: list[str]) -> None:
    names = Names(0, answer)

    with pytest.raises(UrlRefusedError, match="not public") as refusal:
        post("https://receiver.test/", b"{}", {}, STRICT, PATIENCE, names.network())

    assert names.connected == []
    assert answer[-1] not in str(refusal.value)  # nobody outside may learn it


def test_the_next_address_is_tried_when_one_refuses(serve: Serve, certify: Certify) -> None:
    made = certify("two.test")
    receiver = serve(answering("200 OK"), tls=made.server)
    names = Names(receiver.port, ["2606:2800:220:1::1", PUBLIC_ADDRESS])
    tried: list[str] = []

    def connect(address: tuple[str, int], timeout: float) -> socket.socket:
        tried.append(address[0])
        if ":" in address[0]:
            raise OSError("network is unreachable")
        return names.connect(address, timeout)

    status = post(
        "https://two.test/", b"{}", {}, STRICT, PATIENCE, Network(names.resolve, connect, lambda: made.client)
    )

    assert status == 200
    assert tried == ["2606:2800:220:1::1", PUBLIC_ADDRESS]


@pytest.mark.parametrize(
    "target",
    [
        "/a%2Fb%2fc/%7e~/%41",
        "/a;b=1,2/c|d%7Cd/{e}/[f]/!$&'()*+=:@",
        '/"<>`^',
        "/a/../b/./c//d",
        "/x?",
        "/?a=b?c&d=/../%zz%20+'\"{}|",
    ],
)
def test_path_and_query_arrive_as_they_were_given(serve: Serve, target: str) -> None:
    receiver = serve(answering("200 OK"))

    post(f"http://127.0.0.1:{receiver.port}{target}", b"{}", {}, LOCAL, PATIENCE)

    assert receiver.heads[0].split(b"\r\n")[0].decode() == f"POST {target} HTTP/1.1"


def test_a_redirect_to_what_is_no_url_is_answered_as_any_other(serve: Serve) -> None:
    receiver = serve(answering("302 Found", b"", "Location: http://[", 'Set-Cookie: a="; domain=.'))

    assert post(receiver.url, b"{}", {}, LOCAL, PATIENCE) == 302


def test_a_redirect_is_answered_and_not_followed(serve: Serve) -> None:
    elsewhere = serve(answering("200 OK"))
    receiver = serve(answering("302 Found", b"", f"Location: {elsewhere.url}"))

    assert post(receiver.url, b"{}", {}, LOCAL, PATIENCE) == 302
    assert elsewhere.heads == []


def test_proxies_of_the_environment_are_not_used(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = serve(answering("200 OK"))
    receiver = serve(answering("204 No Content"))
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")

    assert post(receiver.url, b"{}", {}, LOCAL, PATIENCE) == 204
    assert proxy.heads == []


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.7\r\n",
        b"HTTP/1.1 2x0 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 " + b"x" * 70_000 + b"\r\n\r\n",
    ],
    ids=["nothing", "ssh", "no status", "too many headers", "too long a line"],
)
def test_what_is_no_http_answer_is_a_failure_that_repeats_nothing_of_it(serve: Serve, answer: bytes) -> None:
    receiver = serve(lambda connection, _head: connection.sendall(answer))

    with pytest.raises(ExchangeFailedError) as failure:
        post(receiver.url, b"{}", {}, LOCAL, PATIENCE)
    assert "OpenSSH" not in str(failure.value)


def test_interim_answers_are_passed_over(serve: Serve) -> None:
    def behaviour(connection: socket.socket, _: bytes) -> None:
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
        connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok")

    assert post(serve(behaviour).url, b"{}", {}, LOCAL, PATIENCE) == 201


def refusing_at_once(done: threading.Event) -> Behaviour:
    """Answer before the body was read, and keep the connection until the test is done with it."""

    def behaviour(connection: socket.socket, _head: bytes) -> None:
        connection.sendall(b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        done.wait(PATIENCE)

    return behaviour


def test_an_answer_before_the_body_was_read_counts(serve: Serve) -> None:
    done = threading.Event()
    receiver = serve(refusing_at_once(done))

    assert post(receiver.url, bytes(200_000), {}, LOCAL, PATIENCE) == 410
    done.set()


def test_an_answer_before_the_body_was_read_counts_over_tls(serve: Serve, certify: Certify) -> None:
    done, made = threading.Event(), certify("early.test")
    names = Names(serve(refusing_at_once(done), tls=made.server).port, [PUBLIC_ADDRESS])

    assert post("https://early.test/", bytes(200_000), {}, STRICT, PATIENCE, names.network(made.client)) == 410
    done.set()


def test_a_refused_connection_is_a_failure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]

    with pytest.raises(ExchangeFailedError, match="refused"):
        post(f"http://127.0.0.1:{port}/", b"{}", {}, LOCAL, PATIENCE)


def test_plain_http_on_a_tls_port_is_a_failure_with_a_reason(serve: Serve) -> None:
    receiver = serve(answering("200 OK"))
    names = Names(receiver.port, [PUBLIC_ADDRESS])

    with pytest.raises(ExchangeFailedError, match=r"TLS failed|closed"):
        post("https://plain.test/", b"{}", {}, STRICT, PATIENCE, names.network())


class Closed:
    """A name with many addresses, none of which takes a connection."""

    def __init__(self, addresses: int) -> None:
        self.answers = [f"93.184.{number // 256 % 256}.{number % 256}" for number in range(addresses)]
        self.tried: list[str] = []

    def connect(self, address: tuple[str, int], timeout: float) -> socket.socket:
        self.tried.append(address[0])
        raise ConnectionRefusedError

    def network(self) -> Network:
        return Network(lambda host, port: self.answers, self.connect)


def test_eight_addresses_of_a_name_are_tried_at_most() -> None:
    closed = Closed(100)

    with pytest.raises(ExchangeFailedError, match="the connection was refused"):
        post("https://many.test/", b"{}", {}, STRICT, PATIENCE, closed.network())

    assert closed.tried == closed.answers[:8]


def test_every_address_of_a_name_is_checked_also_those_that_are_not_tried() -> None:
    closed = Closed(100)
    closed.answers[-1] = "10.0.0.1"

    with pytest.raises(UrlRefusedError, match="an address that is not public"):
        post("https://many.test/", b"{}", {}, STRICT, PATIENCE, closed.network())

    assert closed.tried == []


@pytest.mark.parametrize("addresses", [101, 100_000])
def test_a_name_with_more_than_100_addresses_is_refused_and_none_is_tried(addresses: int) -> None:
    closed = Closed(addresses)

    with pytest.raises(UrlRefusedError, match="more than 100 addresses"):
        post("https://many.test/", b"{}", {}, STRICT, PATIENCE, closed.network())

    assert closed.tried == []
