"""What a soak is judged by: each job's story, as OpenAI's stand-in, the receiver and the queue saw it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from standins.openai import Call
from standins.receiver import Received

# A stand-in notes what came when its thread gets the processor: on a busy machine after the sender was killed.
NOTED_LATE_SECONDS = 5.0


@dataclass(frozen=True)
class Kill:
    """A worker that was killed: of which function, and when, in seconds since the epoch."""

    function: str
    at: float


@dataclass
class Story:
    """What was seen of one accepted job."""

    job_id: str
    number: int
    calls: list[Call] = field(default_factory=list)
    requests: list[Received] = field(default_factory=list)
    letters: int = 0

    @property
    def taken(self) -> list[Received]:
        """The callbacks that the receiver answered with 2xx."""
        return [request for request in self.requests if 200 <= request.answered < 300]

    @property
    def paid(self) -> dict[int, list[Call]]:
        """The edits that OpenAI answered with a sound image, by picture: those of a batch differ in their size."""
        found: dict[int, list[Call]] = {}
        for call in self.calls:
            if call.status == 200 and call.fault is None:
                found.setdefault(call.bytes_in, []).append(call)
        return found


@dataclass(frozen=True)
class Row:
    """One figure of a soak, and the most that it may be; None for what only tells of the soak itself."""

    name: str
    value: int
    most: int | None = None

    @property
    def kept(self) -> bool:
        """Whether the figure is as it must be."""
        return self.most is None or self.value <= self.most


def judge(stories: Sequence[Story], kills: Sequence[Kill]) -> list[Row]:
    """Count what became of the accepted jobs, and what must not be."""
    delivered = [story for story in stories if story.taken]
    lettered = [story for story in stories if story.letters]
    repeats = [pair for story in stories for pair in pairwise(request.at for request in story.taken)]
    paid_twice = [
        (first.started_at, second.started_at)
        for story in stories
        for calls in story.paid.values()
        for first, second in pairwise(calls)
    ]
    return [
        Row("jobs accepted", len(stories)),
        Row("workers killed", len(kills)),
        Row("delivered", len(delivered)),
        Row("dead-lettered", len(lettered)),
        Row("lost: neither delivered nor dead-lettered", sum(not one.taken and not one.letters for one in stories), 0),
        Row("both delivered and dead-lettered", sum(bool(one.taken and one.letters) for one in stories), 0),
        Row("with two dead letters", sum(one.letters > 1 for one in stories), 0),
        Row("with two different payloads", sum(len({got.body for got in one.requests}) > 1 for one in stories), 0),
        Row("callbacks sent again after a 2xx", len(repeats)),
        Row("of these without a kill that explains it", _unexplained(repeats, kills, "callback"), 0),
        Row("edits paid for", sum(len(calls) for story in stories for calls in story.paid.values())),
        Row("edits paid for again", len(paid_twice)),
        Row("of these without a kill that explains it", _unexplained(paid_twice, kills, "process_image"), 0),
    ]


def _unexplained(repetitions: Sequence[tuple[float, float]], kills: Sequence[Kill], function: str) -> int:
    """How many repetitions have no kill of their own between the first and the second time."""
    times = sorted(kill.at for kill in kills if kill.function == function)
    left = 0
    for first, second in sorted(repetitions, key=lambda times_of: times_of[1]):
        explaining = next((at for at in times if first - NOTED_LATE_SECONDS <= at <= second), None)
        if explaining is None:
            left += 1
        else:
            times.remove(explaining)
    return left
