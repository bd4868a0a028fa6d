"""The queue of those who wait for a rate limit, against the limits that engines have."""

import heapq
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from functions.process_image.pacing import MAX_INTERVAL, Queue

# Seconds that pass at most between an image's invocations beyond the wait, and until it calls after its turn.
INVOCATION, CALL = 0.3, 0.05
MAX_SLEEP = 1.0


@dataclass
class Bucket:
    """Lets a call through every `interval` seconds, after a rest `burst` at once."""

    interval: float
    burst: int = 1
    full_at: float = 0.0

    def refusal(self, now: float) -> float:
        """Seconds until a refused call would be let through; 0 for one that is."""
        full_at = max(self.full_at, now)
        wait = full_at - now - self.interval * (self.burst - 1)
        if wait > 1e-9:
            return wait
        self.full_at = full_at + self.interval
        return 0.0

    def ideal(self, count: int) -> float:
        """Seconds that `count` calls need when none comes too early or too late."""
        return (count - self.burst) * self.interval


@dataclass
class Window:
    """Lets `limit` calls through in each minute, all of them at its start if they come then."""

    limit: int
    minute: int = -1
    used: int = 0

    def refusal(self, now: float) -> float:
        """As of a bucket."""
        if now // 60 != self.minute:
            self.minute, self.used = int(now // 60), 0
        if self.used == self.limit:
            return (self.minute + 1) * 60 - now
        self.used += 1
        return 0.0

    def ideal(self, count: int) -> float:
        """As of a bucket."""
        return (math.ceil(count / self.limit) - 1) * 60


# How an engine tells the time to wait.
WHOLE_SECONDS: Callable[[float], float] = math.ceil
EXACT: Callable[[float], float] = float
NOT_AT_ALL: Callable[[float], float] = lambda _: 0.0  # noqa: E731


@dataclass
class Image:
    ticket: int = 0
    calls: int = 0
    done_at: float = 0.0


@dataclass
class World:
    """Images that wait as `edit_image` has them wait; an end of one of the batch's brings the next."""

    limit: Bucket | Window
    retry_after: Callable[[float], float] = WHOLE_SECONDS
    edit_seconds: float = 5.0
    seed: int = 0
    queue: Queue = field(default_factory=Queue)

    def run(self, singles: int, batch: int = 0, at_once: int = 0) -> tuple[list[Image], list[Image]]:
        """Have `singles` edited that all come at once, beside a batch."""
        self.random = random.Random(self.seed)
        images = [Image() for _ in range(singles + batch)]
        self.events: list[tuple[float, int, bool]] = []
        waiting = iter(range(singles + at_once, len(images)))
        for number in range(singles + at_once):
            self.later(0, INVOCATION, number)
        while self.events:
            now, number, has_turn = heapq.heappop(self.events)
            image = images[number]
            self.call(now, number, image) if has_turn else self.invoke(now, number, image)
            if image.done_at and number >= singles and (following := next(waiting, None)) is not None:
                self.later(now + self.edit_seconds, INVOCATION, following)
        return images[:singles], images[singles:]

    def later(self, at: float, lateness: float, number: int, *, has_turn: bool = False) -> None:
        heapq.heappush(self.events, (at + self.random.uniform(lateness / 10, lateness), number, has_turn))

    def invoke(self, now: float, number: int, image: Image) -> None:
        """What `edit_image` does before it calls."""
        if not image.ticket and not self.queue.is_idle(now):
            self.queue = self.queue.joined(now)
            image.ticket = self.queue.issued
        turn = self.queue.turn(image.ticket) if image.ticket else now
        if turn > now + MAX_SLEEP:
            self.later(now + math.floor(turn - now), INVOCATION, number)
        else:
            self.later(max(now, turn), CALL, number, has_turn=True)

    def call(self, now: float, number: int, image: Image) -> None:
        """The call, and what a refusal leads to."""
        image.calls += 1
        if not (wait := self.limit.refusal(now)):
            image.done_at = now
            return
        told = self.retry_after(wait)
        if image.ticket:
            refusals, jitter = image.calls - 1, self.random.random()
            self.queue, image.ticket = self.queue.put_back(now, image.ticket, told, refusals, jitter)
        else:
            self.queue = self.queue.joined(now, told)
            image.ticket = self.queue.issued
        turn = self.queue.turn(image.ticket)
        self.later(now + math.floor(max(0.0, turn - now)), INVOCATION, number)


def took(images: list[Image]) -> float:
    return max(image.done_at for image in images)


def calls(images: list[Image]) -> list[int]:
    return [image.calls for image in images]


LIMITS: dict[str, Callable[[], Bucket | Window]] = {
    "one a second": lambda: Bucket(1),
    "5 a minute, evenly": lambda: Bucket(12),
    "5 a minute, from a bucket": lambda: Bucket(12, 5),
    "5 a minute, all at its start": lambda: Window(5),
    "20 a minute, evenly": lambda: Bucket(3),
    "20 a minute, all at its start": lambda: Window(20),
}


@pytest.mark.parametrize("told", [WHOLE_SECONDS, EXACT], ids=["whole seconds", "exact"])
@pytest.mark.parametrize("limit", LIMITS.values(), ids=LIMITS)
def test_100_at_once_take_little_longer_than_the_limit_and_few_calls(
    limit: Callable[[], Bucket | Window], told: Callable[[float], float]
) -> None:
    for seed in range(3):
        images, _ = World(limit(), told, seed=seed).run(100)

        assert took(images) <= 1.3 * limit().ideal(100)
        assert sum(calls(images)) <= 2 * len(images)
        assert max(calls(images)) <= 6


@pytest.mark.parametrize("limit", [lambda: Bucket(0.24, 250), lambda: Window(250)], ids=["bucket", "window"])
def test_the_highest_tier_is_used_too(limit: Callable[[], Bucket | Window]) -> None:
    images, _ = World(limit()).run(600)

    assert took(images) <= 1.3 * limit().ideal(600)
    assert sum(calls(images)) <= 2 * len(images)
    assert max(calls(images)) <= 6


@pytest.mark.parametrize("limit", LIMITS.values(), ids=LIMITS)
def test_an_engine_that_does_not_say_how_long_to_wait_is_not_rushed(limit: Callable[[], Bucket | Window]) -> None:
    images, _ = World(limit(), NOT_AT_ALL).run(100)

    assert took(images) <= 2 * limit().ideal(100)
    assert sum(calls(images)) <= 2 * len(images)


def test_single_images_and_a_batch_move_side_by_side() -> None:
    singles, batch = World(Bucket(1)).run(20, batch=120, at_once=40)

    everybody = singles + batch
    assert took(everybody) <= 1.3 * Bucket(1).ideal(140)
    # 60 wait at first, in turn: while the singles have theirs, the batch has twice as many.
    assert took(singles) < 100
    assert 20 <= sum(image.done_at < took(singles) for image in batch) <= 80
    assert max(calls(everybody)) <= 6


def test_who_is_not_limited_does_not_wait() -> None:
    images, _ = World(Bucket(0.001, 1000)).run(100)

    assert took(images) <= INVOCATION + CALL
    assert set(calls(images)) == {1}


def test_turns_come_in_the_order_of_the_tickets_and_never_earlier_than_told() -> None:
    queue = Queue()
    for _ in range(50):
        queue = queue.joined(1000.0)
    told = [queue.turn(ticket) for ticket in range(1, 51)]
    assert told == sorted(told)
    assert told[0] > 1000

    changed, ticket = queue.put_back(told[9], 10, retry_after=0, refusals=0, jitter=0.5)

    assert told[9] < changed.turn(ticket) < changed.turn(11)
    assert all(changed.turn(number) > queue.turn(number) for number in range(11, 51))


def test_a_refusal_after_another_one_changes_nothing_more() -> None:
    queue = Queue().joined(1000.0).joined(1000.0).joined(1000.0)
    now = queue.turn(2)
    changed, _ = queue.put_back(now, 1, retry_after=30, refusals=0, jitter=0)

    assert changed.put_back(now, 2, retry_after=30, refusals=0, jitter=0) == (changed, 2)


def test_a_queue_whose_turns_have_all_come_begins_anew() -> None:
    queue = Queue().joined(1000.0).joined(1000.0)
    queue, _ = queue.put_back(queue.turn(2), 2, retry_after=60, refusals=3, jitter=1)
    assert not queue.is_idle(1050.0)
    assert queue.is_idle(1200.0)

    anew = queue.joined(1200.0, retry_after=5)

    assert (anew.issued, anew.interval) == (3, Queue().interval)
    assert anew.turn(3) == 1204


def test_the_interval_is_bounded() -> None:
    queue, now = Queue().joined(0.0), 1.0
    for _ in range(200):
        queue, ticket = queue.put_back(now, queue.head, retry_after=0, refusals=50, jitter=1)
        now = queue.turn(ticket)

    assert queue.interval == MAX_INTERVAL
