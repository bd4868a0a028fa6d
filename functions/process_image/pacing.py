"""The queue of the images that wait for an engine's rate limit, so that they neither rush it nor leave it idle.

Who is refused takes a ticket, and whoever comes while others wait takes one too, before asking. A ticket's turn is a
function of the queue's few numbers: the turns come closer together (SPEED_UP) until the engine refuses a call, which
sets them further apart (SLOW_DOWN). So only those who are refused, or come anew, write; a ticket's turn never comes
earlier than it was told, and a ticket that nobody uses (a cancelled job) is one turn lost.

tests/unit/process_image/test_pacing.py simulates it against the limits that engines have.
"""

import random
import time
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, ValidationError

from imagejobs.errors import JobError, StorageUnavailableError
from imagejobs.storage import Bucket, StoredObject

# Seconds between two turns at first. Too short a start costs a few refused calls, too long a one everybody's time.
FIRST_INTERVAL = 0.5
MAX_INTERVAL = 120.0
# What the interval is multiplied by from one turn to the next, down to a share of itself; and at a refusal.
SPEED_UP, _LEAST_SHARE = 0.97, 0.3
SLOW_DOWN = 1.1
# What nobody calls for after a refusal, beyond Retry-After: a share of the interval, half of it drawn at random. It is
# doubled with each refusal of the same image, a few times only when the engine says itself how long to wait.
_PAUSE_SHARE, _MAX_PAUSE = 0.4, 60.0
_DOUBLED, _DOUBLED_UNTOLD = 3, 20
# How long it is tried to change the queue while others do, in seconds; then an image waits without a ticket.
_MAX_WRITE_SECONDS = 15.0


class Queue(BaseModel):
    """The queue as it is stored. Times are seconds since the epoch."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    # The number of the last ticket that was given out.
    issued: int = 0
    # The ticket whose turn is at `opens_at`; the next one's is `interval` later.
    head: int = 0
    opens_at: float = 0.0
    interval: float = FIRST_INTERVAL

    def turn(self, ticket: int) -> float:
        """When a ticket may call."""
        return self.opens_at + self._until(ticket - self.head)

    def is_idle(self, now: float) -> bool:
        """Whether every ticket's turn has come: such a queue begins anew."""
        return self.turn(self.issued) <= now

    def joined(self, now: float, retry_after: float = 0.0) -> "Queue":
        """The queue with one ticket more, `issued`; an idle one opens when `retry_after` seconds may be over."""
        ticket = self.issued + 1
        if not self.is_idle(now):
            return self.model_copy(update={"issued": ticket})
        return Queue(issued=ticket, head=ticket, opens_at=now + max(_least(retry_after), FIRST_INTERVAL))

    def put_back(
        self, now: float, ticket: int, retry_after: float, refusals: int, jitter: float
    ) -> tuple["Queue", int]:
        """The queue after a refusal of `ticket`'s call, and the ticket that is used instead.

        That is the first in turn, after a pause. Where another refusal has stopped the queue already, it is the old
        ticket if its turn is to come, else the last one. `refusals` is how often the image was refused before, `jitter`
        a random number from 0 to 1.
        """
        if self.turn(ticket) > now:
            return self, ticket
        if now < self.opens_at:
            return self.joined(now), self.issued + 1
        # Waiting tickets alone count: those whose turn has come are served.
        served = bisect_right(range(1, self.issued - self.head + 1), now - self.opens_at, key=self._until)
        interval = min(MAX_INTERVAL, self.interval * self._pace(served) * SLOW_DOWN)
        doubled = min(refusals, _DOUBLED if retry_after else _DOUBLED_UNTOLD)
        pause = min(_MAX_PAUSE, (0.5 + jitter / 2) * _PAUSE_SHARE * interval * 2**doubled)
        head, opens_at = self.head + served, now + _least(retry_after) + pause
        return Queue(issued=self.issued, head=head, opens_at=opens_at, interval=interval), head

    def _until(self, places: int) -> float:
        """Seconds from `opens_at` to the turn that comes `places` after the head's: the intervals between, added up."""
        if places < 0:
            return places * self.interval
        shrinking = (1 - SPEED_UP**places) / (1 - SPEED_UP)
        return self.interval * (_LEAST_SHARE * places + (1 - _LEAST_SHARE) * shrinking)

    @staticmethod
    def _pace(places: int) -> float:
        """The share that is left of the interval after so many turns."""
        return _LEAST_SHARE + (1 - _LEAST_SHARE) * float(SPEED_UP**places)


def _least(retry_after: float) -> float:
    """How long the limit holds for certain: Retry-After is rounded up to whole seconds."""
    return max(0.0, retry_after - 1)


@dataclass(frozen=True)
class Turn:
    """When an image may call, in seconds since the epoch, and its ticket, 0 for none."""

    at: float
    ticket: int = 0


@dataclass(frozen=True)
class Pacer:
    """The queue of one engine, an object in the jobs bucket that conditional writes change.

    A queue that cannot be read or written never fails an image: it then waits as if it were alone.
    """

    bucket: Bucket
    engine: str
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep

    def turn(self, ticket: int) -> Turn:
        """Tell when an image may call: at once while nobody waits, else in turn, with a new ticket when it has none."""
        try:
            queue, _ = self._read()
        except JobError:
            return Turn(self.clock(), ticket)
        if ticket:
            return Turn(queue.turn(ticket), ticket)
        now = self.clock()
        if queue.is_idle(now):
            return Turn(now)
        changed = self._change(lambda queue: (queue.joined(self.clock()), queue.issued + 1))
        return changed or Turn(queue.turn(queue.issued))

    def refused(self, ticket: int, retry_after: float, refusals: int) -> Turn:
        """Tell when an image may call again whose call was refused, as `refusals` of its calls were before.

        `retry_after` is in seconds, 0 where the engine did not say.
        """

        def change(queue: Queue) -> tuple[Queue, int]:
            if ticket:
                return queue.put_back(self.clock(), ticket, retry_after, refusals, random.random())
            return queue.joined(self.clock(), retry_after), queue.issued + 1

        if turn := self._change(change):
            return turn
        asked = max(1.0, retry_after)
        return Turn(self.clock() + asked + random.uniform(0, min(_MAX_PAUSE, asked * 2 ** min(refusals, 20))), ticket)

    def _change(self, change: Callable[[Queue], tuple[Queue, int]]) -> Turn | None:
        """Change the stored queue, whoever else does so meanwhile; None when that cannot be done."""
        deadline, tries = self.clock() + _MAX_WRITE_SECONDS, 0
        while self.clock() < deadline:
            try:
                queue, stored = self._read()
                changed, ticket = change(queue)
                if changed == queue or self._write(changed, stored):
                    return Turn(changed.turn(ticket), ticket)
            except StorageUnavailableError:
                pass  # S3 answers 409 to one of two writes at the same moment
            except JobError:
                return None
            tries += 1
            self.sleep(random.uniform(0, min(1.0, 0.05 * 2**tries)))
        return None

    def _read(self) -> tuple[Queue, StoredObject | None]:
        found = self.bucket.find_with_body(self._key)
        try:
            return Queue.model_validate_json(found.body) if found else Queue(), found
        except ValidationError:
            return Queue(), found

    def _write(self, queue: Queue, stored: StoredObject | None) -> bool:
        body, etag = queue.model_dump_json().encode(), stored.etag if stored else None
        return self.bucket.put(self._key, body, "application/json", if_etag=etag, if_absent=etag is None)

    @property
    def _key(self) -> str:
        return f"pacing/{self.engine}.json"
