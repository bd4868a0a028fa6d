"""The guarded exchange, on real sockets: what is connected to, what is read, and when it ends."""

import contextlib
import re
import socket
import ssl
import sys
import time

import pytest

from imagejobs.outbound.connection import MAX_ANSWER_BYTES, post
from imagejobs.outbound.network import ExchangeFailedError, Network
from imagejobs.outbound.policy import OutboundPolicy, UrlRefusedError

LOCAL = OutboundPolicy(allow_http=True, allow_private=True)
STRICT = OutboundPolicy()
PUBLIC_ADDRESS = "93.184.216.34"


def answering(status: str, body: bytes = b"", *headers: str):
    """Read the request's body, then answer."""
    answer = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]).encode()

    def behaviour(connection: socket.socket, head: bytes) -> None:
        read_body(connection, head)
        connection.sendall(answer + b"\r\n\r\n" + body)

    return behaviour


def read_body(connection: socket.socket, head: bytes) -> bytes:
    found = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
    body = b""
    while found and len(body) < int(found[1]):
        body += connection.recv(65536)
    return body


class Names:
    """A resolver and connector: names lead where the test says, and connections to `port` on loopback."""

    def __init__(self, port: int, *answers: list[str]) -> None:
        self.port, self.answers = port, list(answers)
        self.resolved: list[str] = []
        self.connected: list[tuple[str, int]] = []

    def resolve(self, host: str, port: int) -> list[str]:
        self.resolved.append(host)
        return self.answers.pop(0)

    def connect(self, address: tuple[str, int], timeout: float) -> socket.socket:
        self.connected.append(address)
        return socket.create_connection(("127.0.0.1", self.port), timeout)

    def network(self, client: ssl.SSLContext | None = None) -> Network:
        return Network(self.resolve, self.connect, lambda: client or ssl.create_default_context())


def test_the_body_and_headers_arrive_and_the_status_comes_back(serve):
    received = []

    def behaviour(connection, head):
        received.append(read_body(connection, head))
        connection.sendall(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")

    receiver = serve(behaviour)

    status = post(receiver.url + "?x=1", b'{"a":1}', {"Content-Type": "application/json"}, LOCAL, 5)

    assert status == 202
    assert received == [b'{"a":1}']
    head = receiver.heads[0].decode()
    assert head.startswith("POST /hook?x=1 HTTP/1.1\r\n")
    assert f"\r\nHost: 127.0.0.1:{receiver.port}\r\n" in head
    assert "\r\nContent-Type: application/json\r\n" in head
    assert head.lower().count("host:") == 1


def test_the_connection_goes_to_the_checked_address_with_sni_host_and_certificate_of_the_name(serve, authority):
    made = authority("hooks.receiver.test")
    receiver = serve(answering("200 OK"), tls=made.server)
    names = Names(receiver.port, [PUBLIC_ADDRESS])

    status = post("https://hooks.receiver.test/x", b"{}", {}, STRICT, 5, names.network(made.client))

    assert status == 200
    assert names.connected == [(PUBLIC_ADDRESS, 443)]
    assert receiver.names == ["hooks.receiver.test"]
    assert b"\r\nHost: hooks.receiver.test\r\n" in receiver.heads[0]


def test_a_certificate_of_another_name_is_not_accepted(serve, authority):
    made = authority("other.test")
    receiver = serve(answering("200 OK"), tls=made.server)
    names = Names(receiver.port, [PUBLIC_ADDRESS])

    with pytest.raises(ExchangeFailedError, match="certificate"):
        post("https://hooks.receiver.test/", b"{}", {}, STRICT, 5, names.network(made.client))

    assert receiver.heads == []


def test_a_rebinding_resolver_is_asked_once_and_its_second_answer_never_used(serve, authority):
    made = authority("rebind.test")
    receiver = serve(answering("200 OK"), tls=made.server)
    names = Names(receiver.port, [PUBLIC_ADDRESS], ["127.0.0.1"])

    post("https://rebind.test/", b"{}", {}, STRICT, 5, names.network(made.client))
    assert names.resolved == ["rebind.test"]
    assert names.connected == [(PUBLIC_ADDRESS, 443)]

    # The next attempt resolves anew, and sees the second answer for what it is.
    with pytest.raises(UrlRefusedError, match="not public"):
        post("https://rebind.test/", b"{}", {}, STRICT, 5, names.network(made.client))
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
def test_one_address_that_is_not_public_refuses_the_name(answer: list[str]):
    names = Names(0, answer)

    with pytest.raises(UrlRefusedError, match="not public") as refusal:
        post("https://receiver.test/", b"{}", {}, STRICT, 5, names.network())

    assert names.connected == []
    assert answer[-1] not in str(refusal.value)  # nobody outside may learn it


def test_the_next_address_is_tried_when_one_refuses(serve, authority):
    made = authority("two.test")
    receiver = serve(answering("200 OK"), tls=made.server)
    names = Names(receiver.port, ["2606:2800:220:1::1", PUBLIC_ADDRESS])
    tried = []

    def connect(address, timeout):
        tried.append(address[0])
        if ":" in address[0]:
            raise OSError("network is unreachable")
        return names.connect(address, timeout)

    status = post("https://two.test/", b"{}", {}, STRICT, 5, Network(names.resolve, connect, lambda: made.client))

    assert status == 200
    assert tried == ["2606:2800:220:1::1", PUBLIC_ADDRESS]


def test_a_name_that_does_not_resolve_in_time_ends_at_the_deadline():
    started = time.monotonic()

    def resolve(host: str, port: int) -> list[str]:
        time.sleep(3)
        return [PUBLIC_ADDRESS]

    with pytest.raises(ExchangeFailedError, match="timed out"):
        post("https://slow.test/", b"{}", {}, STRICT, 0.3, Network(resolve=resolve))
    assert time.monotonic() - started < 2


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
def test_path_and_query_arrive_as_they_were_given(serve, target: str):
    receiver = serve(answering("200 OK"))

    post(f"http://127.0.0.1:{receiver.port}{target}", b"{}", {}, LOCAL, 5)

    assert receiver.heads[0].split(b"\r\n")[0].decode() == f"POST {target} HTTP/1.1"


def test_a_redirect_to_what_is_no_url_is_answered_as_any_other(serve):
    receiver = serve(answering("302 Found", b"", "Location: http://[", 'Set-Cookie: a="; domain=.'))

    assert post(receiver.url, b"{}", {}, LOCAL, 5) == 302


def test_a_redirect_is_answered_and_not_followed(serve):
    elsewhere = serve(answering("200 OK"))
    receiver = serve(answering("302 Found", b"", f"Location: {elsewhere.url}"))

    assert post(receiver.url, b"{}", {}, LOCAL, 5) == 302
    assert elsewhere.heads == []


def test_proxies_of_the_environment_are_not_used(serve, monkeypatch):
    proxy = serve(answering("200 OK"))
    receiver = serve(answering("204 No Content"))
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")

    assert post(receiver.url, b"{}", {}, LOCAL, 5) == 204
    assert proxy.heads == []


def hang(connection: socket.socket, _: bytes) -> None:
    connection.recv(65536)
    time.sleep(1.5)


def drip_head(connection: socket.socket, _: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    for _ in range(30):
        connection.sendall(b"x")
        time.sleep(0.05)


def drip_interim_answers(connection: socket.socket, _: bytes) -> None:
    for _ in range(30):
        connection.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        time.sleep(0.05)


@pytest.mark.parametrize("behaviour", [hang, drip_head, drip_interim_answers])
def test_a_receiver_that_hangs_or_drips_ends_at_the_deadline(serve, behaviour):
    receiver = serve(behaviour)
    started = time.monotonic()

    with pytest.raises(ExchangeFailedError, match="timed out"):
        post(receiver.url, b"{}", {}, LOCAL, 0.5)
    assert 0.4 < time.monotonic() - started < 1.4


def test_a_handshake_that_hangs_ends_at_the_deadline(serve):
    names = Names(serve(hang).port, [PUBLIC_ADDRESS])
    started = time.monotonic()

    with pytest.raises(ExchangeFailedError, match="timed out"):
        post("https://silent.test/", b"{}", {}, STRICT, 0.5, names.network())
    assert 0.4 < time.monotonic() - started < 1.4


def test_a_failed_exchange_lets_go_of_the_body_at_once(serve):
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


def test_a_receiver_that_reads_slowly_ends_at_the_deadline(serve):
    def read_slowly(connection: socket.socket, _: bytes) -> None:
        for _ in range(40):
            connection.recv(1000)
            time.sleep(0.05)

    receiver = serve(read_slowly)
    started = time.monotonic()

    with pytest.raises(ExchangeFailedError, match="timed out"):
        post(receiver.url, bytes(30_000_000), {}, LOCAL, 0.5)
    assert time.monotonic() - started < 1.4


def test_a_body_that_drips_behind_its_status_ends_at_the_deadline_and_the_status_counts(serve):
    def drip_body(connection: socket.socket, _: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(40):
            connection.sendall(b"x")
            time.sleep(0.05)

    receiver = serve(drip_body)
    started = time.monotonic()

    assert post(receiver.url, b"{}", {}, LOCAL, 0.5) == 200
    assert time.monotonic() - started < 1.4


def test_an_endless_answer_is_read_up_to_64_kib(serve):
    sent = 0

    def endless(connection: socket.socket, _: bytes) -> None:
        nonlocal sent
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while sent < 50_000_000:
            connection.sendall(b"1000\r\n" + b"x" * 4096 + b"\r\n")
            sent += 4096

    receiver = serve(endless)
    started = time.monotonic()

    assert post(receiver.url, b"{}", {}, LOCAL, 5) == 200
    assert time.monotonic() - started < 2
    time.sleep(0.2)
    # Beside what was read, the kernel's buffers took some.
    assert MAX_ANSWER_BYTES <= sent < 20_000_000


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
def test_what_is_no_http_answer_is_a_failure_that_repeats_nothing_of_it(serve, answer: bytes):
    receiver = serve(lambda connection, _: connection.sendall(answer))

    with pytest.raises(ExchangeFailedError) as failure:
        post(receiver.url, b"{}", {}, LOCAL, 5)
    assert "OpenSSH" not in str(failure.value)


def test_interim_answers_are_passed_over(serve):
    def behaviour(connection: socket.socket, _: bytes) -> None:
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
        connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok")

    assert post(serve(behaviour).url, b"{}", {}, LOCAL, 5) == 201


def refuse_at_once(connection: socket.socket, _: bytes) -> None:
    connection.sendall(b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    connection.shutdown(socket.SHUT_WR)
    time.sleep(0.3)


def test_an_answer_before_the_body_was_read_counts(serve):
    assert post(serve(refuse_at_once).url, bytes(200_000), {}, LOCAL, 5) == 410


def test_an_answer_before_the_body_was_read_counts_over_tls(serve, authority):
    made = authority("early.test")
    names = Names(serve(refuse_at_once, tls=made.server).port, [PUBLIC_ADDRESS])

    assert post("https://early.test/", bytes(200_000), {}, STRICT, 5, names.network(made.client)) == 410


def test_a_refused_connection_is_a_failure():
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]

    with pytest.raises(ExchangeFailedError, match="refused"):
        post(f"http://127.0.0.1:{port}/", b"{}", {}, LOCAL, 5)


def test_plain_http_on_a_tls_port_is_a_failure_in_words(serve):
    receiver = serve(answering("200 OK"))
    names = Names(receiver.port, [PUBLIC_ADDRESS])

    with pytest.raises(ExchangeFailedError, match=r"TLS failed|closed"):
        post("https://plain.test/", b"{}", {}, STRICT, 1, names.network())
