"""The emulated AWS: ministack with its gaps bridged, on 127.0.0.1 alone.

`python -m local.emulator --port 4566` runs it in the foreground. Beside AWS's APIs it answers
`POST /_local/warm?function=<name>&count=<n>`, which starts execution environments of a function ahead of their use, and
`POST /_local/crash?function=<name>`, which kills those that are at work.
"""

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qsl

import typer

from standins.server import HOST

DEFAULT_UNPACKED = Path(".aws-sam/unpacked")


def main(
    port: Annotated[int, typer.Option(help="The port to listen on.")] = 4566,
    unpacked: Annotated[Path, typer.Option(help="Where function packages are unpacked.")] = DEFAULT_UNPACKED,
) -> None:
    """Emulate AWS until the process is ended."""
    # ministack reads these when it is imported. Switched off: every listener but the HTTP port.
    os.environ.update(
        BIND_HOST=HOST,
        MINISTACK_HOST=HOST,
        GATEWAY_PORT=str(port),
        IOT_MTLS_ENABLED="0",
        SFTP_ENABLED="0",
        LAMBDA_EXECUTOR="local",
        LAMBDA_ACCOUNT_CONCURRENCY="200",
        LOCAL_UNPACKED=str(unpacked.resolve()),
    )
    os.environ.pop("AWS_ENDPOINT_URL", None)
    asyncio.run(_serve(port))


async def _serve(port: int) -> None:
    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from ministack.app import app
    from ministack.core import lambda_runtime

    from local import bridges

    bridges.apply()
    config = Config.from_mapping(bind=f"{HOST}:{port}", backlog=256, keep_alive_timeout=75, graceful_timeout=0.5)
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    try:
        await serve(_with_local_actions(app), config, shutdown_trigger=ended.wait)
    finally:
        lambda_runtime.reset()


def _with_local_actions(app: Any) -> Any:
    from local.bridges import functions

    async def answering(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/_local/"):
            await app(scope, receive, send)
            return
        query = dict(parse_qsl(scope["query_string"].decode()))
        answer = {}
        if scope["path"] == "/_local/warm":
            await asyncio.to_thread(functions.warm, query["function"], int(query["count"]))
        else:
            answer = {"crashed": functions.crash(query["function"])}
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(answer).encode()})

    return answering


if __name__ == "__main__":
    typer.run(main)
