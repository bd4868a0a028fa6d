"""What makes a soak a storm: workers of its own emulator are killed while they work."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import psutil

from bench.soak.verdict import Kill
from local.stack import EmbeddedStack


class Killer(threading.Thread):
    """Kills workers of this stack's emulator, and nobody else's, while its context lasts."""

    def __init__(self, stack: EmbeddedStack, kills: list[Kill], per_second: float, chance: random.Random) -> None:
        super().__init__(daemon=True)
        self._kills, self._per_second, self._random = kills, per_second, chance
        self._ended = threading.Event()
        self._stack = stack
        self._seconds: dict[int, float] = {}

    def __enter__(self) -> None:
        self.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.join()

    def run(self) -> None:
        """Kill one worker after the other, at random times."""
        while self._per_second and not self._ended.wait(self._random.expovariate(self._per_second)):
            with suppress(psutil.Error):
                self._kill_one()

    def _kill_one(self) -> None:
        busy = sorted(self._busy(), key=lambda process: process.pid)
        if not busy:
            return
        process = self._random.choice(busy)
        function = process.environ()["_HANDLER"].split(".")[1]
        # Before the fact: what the worker did not live to do comes after this time.
        kill = Kill(function, time.time())
        process.kill()
        self._kills.append(kill)

    def _busy(self) -> Iterator[psutil.Process]:
        """Workers that have computed since the last look."""
        for worker in self._stack.environments():
            with suppress(psutil.Error):
                seconds = sum(worker.cpu_times()[:2])
                if seconds > self._seconds.get(worker.pid, 0):
                    yield worker
                self._seconds[worker.pid] = seconds
