"""Lets containers reach servers that listen on this machine's 127.0.0.1 alone, without a listener on another address.

A container has a loopback interface of its own. What crosses the border is a folder of Unix sockets, one for each port:
`python relay.py here <folder> <port>…` on this machine passes their connections on to 127.0.0.1, and
`python relay.py there <folder> <port>…` in a container on Docker's bridge passes the container's ports on to them.

A script of the standard library alone, since the container has no more.
"""

import contextlib
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

_CHUNK = 1 << 16
_MAX_SECONDS = 3600


def main(side: str, folder: Path, ports: list[int]) -> None:
    """Pass connections on until the process is ended, for an hour at the most."""
    for port in ports:
        path = str(folder / f"{port}.sock")
        if side == "here":
            listener = _unix_listener(path)
            _start(_relay, listener, lambda port=port: socket.create_connection(("127.0.0.1", port)))
        else:
            listener = socket.create_server(("0.0.0.0", port))  # the container's own interfaces
            _start(_relay, listener, lambda path=path: _unix_connection(path))
    time.sleep(_MAX_SECONDS)


def _relay(listener: socket.socket, connect: Callable[[], socket.socket]) -> None:
    while True:
        near, _ = listener.accept()
        try:
            far = connect()
        except OSError:
            near.close()
            continue
        _start(_copy, near, far)
        _start(_copy, far, near)


def _copy(source: socket.socket, sink: socket.socket) -> None:
    """Copy until the source ends, and say so to the sink. The sockets close with the last reference to them."""
    with contextlib.suppress(OSError):
        while data := source.recv(_CHUNK):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def _unix_listener(path: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    return listener


def _unix_connection(path: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(path)
    return connection


def _start(target: Callable[..., None], *arguments: object) -> None:
    threading.Thread(target=target, args=arguments, daemon=True).start()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main(sys.argv[1], Path(sys.argv[2]), [int(port) for port in sys.argv[3:]])
