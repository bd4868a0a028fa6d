"""Waiting for what a test means, with an end that a busy machine with two processors keeps."""

import time
from collections.abc import Callable


def wait_until[T](found: Callable[[], T], deadline: float = 60, what: str = "") -> T:
    """Ask until the answer is true, and return it; TimeoutError after `deadline` seconds says `what` did not come."""
    end = time.monotonic() + deadline
    while not (answer := found()):
        if time.monotonic() > end:
            raise TimeoutError(f"not within {deadline} s: {what or found}")
        time.sleep(0.03)
    return answer
