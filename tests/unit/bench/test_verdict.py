"""A soak's verdict: what breaks a promise is found, and what a kill explains is not."""

from typing import Any

from bench.soak.verdict import Kill, Row, Story, judge
from standins.openai import Call
from standins.receiver import Received


def got(answered: int, at: float, body: bytes = b"{}") -> Received:
    return Received("POST", "/1", "", {}, body, at, answered)


def edit(at: float, *, size: int = 10, status: int = 200, fault: str | None = None) -> Call:
    sent: dict[str, Any] = {"prompt": "p", "filename": "image.png", "model": "m", "output_format": "png"}
    return Call(**sent, fields={}, references=0, mask=False, bytes_in=size, started_at=at, fault=fault, status=status)


def broken(story: Story, *kills: Kill) -> list[str]:
    """The names of the figures that are not as they must be."""
    return [row.name for row in judge([story], kills) if not row.kept]


def figures(rows: list[Row]) -> dict[str, int]:
    return {row.name: row.value for row in rows}


def test_a_job_that_is_delivered_or_dead_lettered_once_is_as_it_must_be() -> None:
    delivered = Story("a", 1, [edit(0, status=500), edit(1)], [got(503, 3), got(0, 4), got(200, 5)])
    lettered = Story("b", 2, [edit(0)], [got(503, 1)], letters=1)

    rows = judge([delivered, lettered], [])

    assert all(row.kept for row in rows)
    found = figures(rows)
    assert (found["jobs accepted"], found["delivered"], found["dead-lettered"]) == (2, 1, 1)
    assert (found["edits paid for"], found["edits paid for again"]) == (2, 0)


def test_each_broken_promise_is_found() -> None:
    assert broken(Story("a", 1)) == ["lost: neither delivered nor dead-lettered"]
    assert broken(Story("a", 1, requests=[got(503, 1)])) == ["lost: neither delivered nor dead-lettered"]
    assert broken(Story("a", 1, requests=[got(200, 1)], letters=1)) == ["both delivered and dead-lettered"]
    assert broken(Story("a", 1, letters=2)) == ["with two dead letters"]
    different = [got(503, 1, b"one"), got(200, 2, b"two")]
    assert broken(Story("a", 1, requests=different)) == ["with two different payloads"]


def test_a_repetition_needs_a_kill_of_the_right_worker_at_the_right_time() -> None:
    sent_again = Story("a", 1, requests=[got(200, 10), got(200, 20)])
    paid_again = Story("b", 2, [edit(10), edit(20)], [got(200, 30)])

    for story, function, other in (
        (sent_again, "callback", "process_image"),
        (paid_again, "process_image", "callback"),
    ):
        assert broken(story, Kill(function, 15)) == []
        for kills in ([], [Kill(other, 15)], [Kill(function, 21)], [Kill(function, 1)]):
            assert broken(story, *kills) == ["of these without a kill that explains it"], (function, kills)


def test_one_kill_explains_one_repetition() -> None:
    twice = Story("a", 1, requests=[got(200, 10), got(200, 20), got(200, 30)])

    assert broken(twice, Kill("callback", 15)) != []
    assert broken(twice, Kill("callback", 15), Kill("callback", 25)) == []


def test_the_pictures_of_a_batch_and_answers_without_a_sound_image_are_no_second_payment() -> None:
    batch = Story("a", 1, [edit(0, size=1), edit(1, size=2), edit(2, size=3)], [got(200, 9)])
    unsound = Story("b", 2, [edit(0, fault="empty"), edit(1)], [got(200, 9)])

    assert figures(judge([batch, unsound], []))["edits paid for again"] == 0
