"""Measures a first burst: twenty posts at once to a stack whose functions have run nothing yet.

On its own: `python -m bench.burst`. `make bench` prints its figures with the others.
"""

import base64
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2

from bench.figures import Figure
from local.stack import EmbeddedStack, Options, Ports

POSTS = 20
_PICTURE = Path(__file__).parents[1] / "demo" / "pictures" / "alps-at-dawn.jpg"


def measure(state_dir: Path) -> Iterator[Figure]:
    """Start a stack of its own, post to it, and look at the memory of what it forked."""
    with EmbeddedStack(Options(ports=Ports.free(), state_dir=state_dir)) as stack:
        body = {"prompt": "make it blue", "image_base64": base64.b64encode(_PICTURE.read_bytes()).decode()}
        url = f"{stack.info.api_url}/process-image-async-b64"
        headers = {"callbackUrl": f"{stack.info.receiver_url}/burst"}

        def post(_: int) -> float:
            with httpx2.Client(timeout=60) as client:
                started = time.perf_counter()
                client.post(url, json=body, headers=headers).raise_for_status()
                return time.perf_counter() - started

        started = time.perf_counter()
        with ThreadPoolExecutor(POSTS) as pool:
            taken = list(pool.map(post, range(POSTS)))
        yield Figure("first burst of 20 posts, until the last is accepted", time.perf_counter() - started, 4, "s")
        yield Figure("first burst of 20 posts, median", statistics.median(taken), 3, "s")
        environments = stack.environments()
        # Unlike the time that passes, processor time is the same beside other work; Pss is a process's memory with what
        # it shares counted in proportion (proc_pid_smaps_rollup(5)).
        spent = sum(sum(environment.cpu_times()[:2]) for environment in environments)
        yield Figure("processor time of the execution environments in it", spent, 10, "s")
        own = statistics.median(environment.memory_full_info().pss for environment in environments)
        yield Figure("memory of an execution environment after it, median", own / 1_000_000, 40, "MB")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="burst-") as folder:
        for figure in measure(Path(folder)):
            print(json.dumps(figure.row()), flush=True)  # noqa: T201
