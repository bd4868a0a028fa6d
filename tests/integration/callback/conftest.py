"""Receivers of every temper, on real sockets of the loopback interface."""

import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import boto3
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from moto import mock_aws

from imagejobs.resources import Clients
from tests.integration.callback.world import REGION, World

type Behaviour = Callable[[socket.socket, bytes], None]

PUBLIC_ADDRESS = "93.184.216.34"


@dataclass
class Receiver:
    """A server that reads a request's head and then does what it was told to, one connection after the other."""

    port: int
    # The request heads, and the names that clients asked for by SNI.
    heads: list[bytes] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"


@pytest.fixture
def serve() -> Iterator[Callable[..., Receiver]]:
    """Start a receiver: `serve(behaviour, …)` uses one behaviour a connection, the last one for all that follow."""
    stop = threading.Event()
    listeners: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def start(*behaviours: Behaviour, tls: ssl.SSLContext | None = None) -> Receiver:
        listener = socket.create_server(("127.0.0.1", 0))
        listener.settimeout(0.1)
        listeners.append(listener)
        receiver = Receiver(listener.getsockname()[1])
        if tls:
            tls.sni_callback = lambda _socket, name, _context: receiver.names.append(name)

        def run() -> None:
            served = 0
            while not stop.is_set():
                try:
                    connection, _ = listener.accept()
                except TimeoutError:
                    continue
                except OSError:
                    return
                behaviour = behaviours[min(served, len(behaviours) - 1)]
                served += 1
                with connection:
                    connection.settimeout(10)
                    try:
                        secured = tls.wrap_socket(connection, server_side=True) if tls else connection
                        with secured:
                            receiver.heads.append(head := _read_head(secured))
                            behaviour(secured, head)
                    except OSError:
                        continue  # the client hung up

        threads.append(threading.Thread(target=run, daemon=True))
        threads[-1].start()
        return receiver

    yield start
    stop.set()
    for listener in listeners:
        listener.close()
    for thread in threads:
        thread.join(timeout=15)


def _read_head(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        byte = connection.recv(1)
        if not byte:
            raise ConnectionError("the client hung up")
        data += byte
        if data == b"\x16":
            break  # a TLS handshake, where plain HTTP is spoken
    return data


@dataclass(frozen=True)
class TestAuthority:
    """A certificate authority of the test's own: a server's context, and a client's that trusts it."""

    __test__ = False
    server: ssl.SSLContext
    client: ssl.SSLContext


@pytest.fixture
def authority(tmp_path: Path) -> Callable[[str], TestAuthority]:
    """Make an authority with a certificate for one name."""

    def make(name: str) -> TestAuthority:
        ca_key, leaf_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test authority")])
        now = datetime.datetime.now(datetime.UTC)

        def builder(subject: x509.Name, key: ec.EllipticCurvePublicKey, *, is_ca: bool) -> x509.CertificateBuilder:
            usage = x509.KeyUsage(
                digital_signature=True,
                key_cert_sign=is_ca,
                crl_sign=is_ca,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                encipher_only=False,
                decipher_only=False,
            )
            return (
                x509.CertificateBuilder()
                .subject_name(subject)
                .issuer_name(ca_name)
                .public_key(key)
                .serial_number(x509.random_serial_number())
                .not_valid_before(now - datetime.timedelta(hours=1))
                .not_valid_after(now + datetime.timedelta(hours=1))
                .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
                .add_extension(usage, critical=True)
                .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
                .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
            )

        ca = builder(ca_name, ca_key.public_key(), is_ca=True).sign(ca_key, hashes.SHA256())
        try:
            subject: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(name))
        except ValueError:
            subject = x509.DNSName(name)
        leaf = (
            builder(x509.Name([]), leaf_key.public_key(), is_ca=False)
            .add_extension(x509.SubjectAlternativeName([subject]), critical=True)
            .sign(ca_key, hashes.SHA256())
        )
        pem = tmp_path / "server.pem"
        pem.write_bytes(
            leaf_key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + leaf.public_bytes(serialization.Encoding.PEM)
        )
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(pem)
        trust = ca.public_bytes(serialization.Encoding.PEM).decode()
        return TestAuthority(server, ssl.create_default_context(cadata=trust))

    return make


@pytest.fixture(scope="module")
def aws():
    """The tests' clients and the function's, for all tests of this module: to make one takes a third of a second."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "testing")
        monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
        yield lru_cache(boto3.client), Clients()


@pytest.fixture
def world(aws, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with mock_aws():
        yield World(*aws, monkeypatch)
