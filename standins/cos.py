"""A stand-in for IBM Cloud Object Storage: a second S3 endpoint, moto's, with HMAC keys and buckets of its own.

`python -m standins.cos --port 8083` runs it in the foreground.
"""

import threading
from typing import Annotated

import typer
from moto.server import ThreadedMotoServer

from standins.server import HOST

ACCESS_KEY_ID = "cos-local-access-key"
SECRET_ACCESS_KEY = "cos-local-secret-key"
REGION = "eu-geo"
INPUT_BUCKET = "cos-input"
OUTPUT_BUCKET = "cos-output"


def main(port: Annotated[int, typer.Option(help="The port to listen on.")] = 8083) -> None:
    """Stand in for IBM COS until the process is ended."""
    server = ThreadedMotoServer(ip_address=HOST, port=port, verbose=False)
    server.start()
    print(f"IBM COS stand-in on http://{HOST}:{port}", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    typer.run(main)
