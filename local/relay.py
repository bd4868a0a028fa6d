"""Lets containers reach servers that listen on this machine's 127.0.0.1 alone, without a listener on another address.

A container has a loopback interface of its own. What crosses the border is a folder of Unix sockets, one for each port:
`python relay.py here <folder> <port>…` on this machine passes their connections on to 127.0.0.1, and
`python relay.py there <folder> <port>…` in a container on Docker's bridge passes the container's ports on to them.

A script of the standard library alone, since the container has no more.
"""

import asyncio
import contextlib
import sys
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

_CHUNK = 1 << 16
_MAX_SECONDS = 3600

type Connect = Callable[[], Awaitable[tuple[StreamReader, StreamWriter]]]


async def main(side: str, folder: Path, ports: list[int]) -> None:
    """Pass connections on until the process is ended, for an hour at the most."""
    async with contextlib.AsyncExitStack() as listening:
        for port in ports:
            path = folder / f"{port}.sock"
            if side == "here":
                connect: Connect = partial(asyncio.open_connection, "127.0.0.1", port)
                server = await asyncio.start_unix_server(partial(_relay, connect), path)
            else:
                connect = partial(asyncio.open_unix_connection, path)
                server = await asyncio.start_server(partial(_relay, connect), "0.0.0.0", port)  # the container's own
            await listening.enter_async_context(server)
        await asyncio.sleep(_MAX_SECONDS)


async def _relay(connect: Connect, reader: StreamReader, writer: StreamWriter) -> None:
    with contextlib.closing(writer), contextlib.suppress(OSError):
        far_reader, far_writer = await connect()
        with contextlib.closing(far_writer):
            await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))


async def _copy(source: StreamReader, sink: StreamWriter) -> None:
    """Copy until the source ends, and say so to the sink."""
    while data := await source.read(_CHUNK):
        sink.write(data)
        await sink.drain()
    sink.write_eof()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(sys.argv[1], Path(sys.argv[2]), [int(port) for port in sys.argv[3:]]))
