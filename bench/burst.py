"""Measures a first burst: twenty posts at once to a stack whose functions have run nothing yet.

On its own: `python -m bench.burst`. `make bench` prints its figures with the others.
"""

import base64
import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2

from bench.figures import Figure
from local import processes
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
        workers = _workers(state_dir)
        own, spent = [_proportional_memory(pid) for pid in workers], sum(map(_processor_seconds, workers))
        yield Figure("processor time of the execution environments in it", spent, 10, "s")
        yield Figure("memory of an execution environment after it, median", statistics.median(own) / 1000, 40, "MB")


def _workers(state_dir: Path) -> list[int]:
    """The processes that the emulator's function templates forked."""
    emulator = next(one for one in processes.recorded(state_dir / "processes.json") if one.name == "emulator")
    return [pid for template in _children(emulator.pid) for pid in _children(template)]


def _children(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        if int(fields[1]) == pid:
            found.append(int(stat.parent.name))
    return found


def _processor_seconds(pid: int) -> float:
    """What a process has had of the processors: unlike the time that passes, it is the same beside other work."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _proportional_memory(pid: int) -> int:
    """A process's memory in KB, what it shares counted in proportion (proc_pid_smaps_rollup(5), Pss)."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="burst-") as folder:
        for figure in measure(Path(folder)):
            print(json.dumps(figure.row()), flush=True)  # noqa: T201
