"""What an exchange stands on: the functions that touch the network, and the error when they come to nothing."""

import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from imagejobs.errors import RetryableError


class ExchangeFailedError(RetryableError):
    """No complete answer: the name did not resolve, no connection, TLS or HTTP broken, or out of time."""


class UnusableAnswerError(ExchangeFailedError):
    """The answer is of no use, and another one would be alike. The message completes "the server …"."""


@lru_cache
def _tls_context() -> ssl.SSLContext:
    return ssl.create_default_context()


def _resolve(host: str, port: int) -> list[str]:
    return [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


@dataclass(frozen=True)
class Network:
    """What touches the network, so that tests can lead names to where they listen."""

    # host, port -> addresses
    resolve: Callable[[str, int], list[str]] = _resolve
    # (address, port), seconds -> a connected socket
    connect: Callable[[tuple[str, int], float], socket.socket] = socket.create_connection
    tls_context: Callable[[], ssl.SSLContext] = _tls_context


NETWORK = Network()
