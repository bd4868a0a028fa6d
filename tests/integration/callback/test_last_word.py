"""Deliveries that are given up, and jobs whose executions ended without one."""

import json

import pytest

from functions.callback import app
from imagejobs.errors import (
    CallbackFailedError,
)
from imagejobs.job_store import Delivery
from standins.receiver import Receiver
from tests.integration.callback.world import JOB, World, event, invoke
from tests.support.context import Context

# As in `imagejobs.observability`, outside of tests: a call may have nothing to count.
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics to publish")


def test_a_dead_letter_says_what_is_needed_to_bring_the_callback_back(world: World, receiver: Receiver) -> None:
    receiver.script("/callback", 503)
    world.job(f"{receiver.url()}?token=hidden", "url")
    with pytest.raises(CallbackFailedError):
        invoke("deliver-url")

    assert invoke("dead-letter")["status"] == "dead_lettered"
    assert invoke("dead-letter")["status"] == "dead_lettered"  # tried again after a lost answer

    (letter,) = world.dead_letters()
    assert letter.pop("callback_url").endswith("/callback")
    assert letter == {
        "job_id": JOB,
        "error": "CallbackFailedError: the receiver answered 503",
        "attempts": 1,
        "payload": {"bucket": "jobs", "key": f"jobs/{JOB}/callback.json"},
        "correlation_id": "correlation-1",
    }
    assert world.store.has_payload(JOB)


def test_a_delivery_that_is_given_up_before_its_payload_was_built_has_a_failed_one(world: World) -> None:
    world.job("https://example.com/")

    invoke("dead-letter")

    assert json.loads(world.decided())["status"] == "failed"


def test_no_dead_letter_for_what_was_delivered(world: World, receiver: Receiver) -> None:
    world.job(receiver.url(), "url")
    invoke("deliver-url")

    invoke("dead-letter")

    assert world.dead_letters() == []


@pytest.mark.parametrize("ending", ["aborted", "timed-out", "failed"])
def test_the_last_word_decides_a_failed_payload_and_has_it_delivered(
    world: World, receiver: Receiver, ending: str
) -> None:
    world.job(receiver.url())

    invoke(f"last-word-{ending}")
    invoke(f"last-word-{ending}")  # EventBridge delivers at least once

    assert world.started() == {f"{JOB}-last-word"}
    invoke("deliver-decided")
    payload = receiver.received()[0].json()
    assert payload["status"] == "failed"
    assert payload["error"]


def test_the_last_word_of_a_decided_job_is_what_was_decided(world: World) -> None:
    world.job("https://example.com/")
    world.store.decide(JOB, b'{"error":"cancelled"}')

    invoke("last-word-aborted")

    assert world.decided() == b'{"error":"cancelled"}'
    assert world.started() == {f"{JOB}-last-word"}


@pytest.mark.parametrize("status", ["delivered", "dead_lettered"])
def test_no_last_word_where_nothing_is_left_to_say(world: World, status: str) -> None:
    world.job("https://example.com/")
    world.store.decide(JOB, b"{}")
    world.store.put_delivery(JOB, Delivery(status=status))

    invoke("last-word-failed")

    assert world.started() == set()
    assert world.dead_letters() == []


def test_a_delivery_execution_that_fails_ends_in_a_dead_letter_and_no_circle(world: World) -> None:
    world.job("https://example.com/")

    invoke("last-word-delivery-failed")
    invoke("last-word-delivery-failed")

    assert world.started() == set()
    assert [letter["job_id"] for letter in world.dead_letters()] == [JOB]


def test_the_end_of_an_earlier_round_leaves_a_redelivery_alone(world: World) -> None:
    world.job("https://example.com/")
    world.store.decide(JOB, b"{}")
    world.store.put_delivery(JOB, Delivery(round=1))

    invoke("last-word-delivery-failed")
    invoke("last-word-failed")

    assert world.started() == set()
    assert world.dead_letters() == []


def test_the_last_word_on_an_unknown_job_or_a_foreign_execution_is_silence(world: World) -> None:
    invoke("last-word-aborted")
    foreign = event("last-word-aborted")
    foreign["detail"]["name"] = "somebody-elses"
    app.handler(foreign, Context())

    assert world.started() == set()
