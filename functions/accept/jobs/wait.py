"""Waiting for a job within one call: it looks at the jobs bucket again and again, less often the longer it takes."""

import time
from collections.abc import Callable

_FIRST_PAUSE_SECONDS = 0.3
_LONGEST_PAUSE_SECONDS = 1.5
_GROWTH = 1.3


def wait_until(holds: Callable[[], bool], deadline: float) -> bool:
    """Ask until `holds` does; False when the deadline (`time.monotonic`) came first."""
    pause = _FIRST_PAUSE_SECONDS
    while not holds():
        rest = deadline - time.monotonic()
        if rest <= 0:
            return False
        time.sleep(min(pause, rest))
        pause = min(pause * _GROWTH, _LONGEST_PAUSE_SECONDS)
    return True
