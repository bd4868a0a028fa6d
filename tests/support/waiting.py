"""Waiting for what a test means, with an end that a busy machine with two processors keeps."""

import time
from collections.abc import Callable

# The end of every wait: nothing that works takes so long, also when the machine is busy with ten other things.
PATIENCE = 120.0


def wait_until[T](found: Callable[[], T], deadline: float = PATIENCE, what: str = "", every: float = 0.03) -> T:
    """Ask until the answer is true, and return it; TimeoutError after `deadline` seconds says `what` did not come."""
    end = time.monotonic() + deadline
    while not (answer := found()):
        if time.monotonic() > end:
            raise TimeoutError(f"not within {deadline} s: {what or found}")
        time.sleep(every)
    return answer


def wait_until_still[T](value: Callable[[], T], seconds: float = 2) -> T:
    """Ask until the answer has been the same for some seconds, and return it."""
    last, since = value(), time.monotonic()

    def still() -> bool:
        nonlocal last, since
        if (now := value()) != last:
            last, since = now, time.monotonic()
        return time.monotonic() - since > seconds

    wait_until(still, what="no change")
    return last
