"""What the guarded exchange meets: servers of the test's own with certificates of its own."""

import socket
import ssl
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from imagejobs.outbound.network import Network
from imagejobs.outbound.policy import OutboundPolicy
from tests.support.authority import Authority, make_authority

LOCAL = OutboundPolicy(allow_http=True, allow_private=True)
STRICT = OutboundPolicy()
PUBLIC_ADDRESS = "93.184.216.34"

type Certify = Callable[[str], Authority]


@pytest.fixture
def certify(tmp_path: Path) -> Certify:
    """Make an authority with a certificate for one name."""
    return partial(make_authority, folder=tmp_path)


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
