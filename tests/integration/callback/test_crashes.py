"""A worker that dies at each point of a delivery: what the state machine's next call finds, and what is sent."""

import json

import pytest

from imagejobs.errors import CallbackFailedError, CallbackGoneError, StorageUnavailableError
from imagejobs.job_store import Delivery
from standins.receiver import Receiver
from tests.integration.callback.world import JOB, World, invoke

# As in `imagejobs.observability`, outside of tests: a call may have nothing to count.
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics to publish")


@pytest.fixture
def refused(world: World, receiver: Receiver) -> None:
    """A job whose only attempt failed."""
    receiver.script("/callback", 503)
    world.job(receiver.url(), "url")
    with pytest.raises(CallbackFailedError):
        invoke("deliver-url")


def forget(world: World, delivery: Delivery) -> None:
    """Put the record back to what it was before the worker died."""
    now = world.store.get_delivery(JOB)
    assert world.store.put_delivery(JOB, delivery.model_copy(update={"etag": now.etag}))


def test_after_a_payload_was_decided_the_same_one_is_sent(world: World, receiver: Receiver) -> None:
    world.job(receiver.url(), "url")
    world.store.decide(JOB, b'{"decided":"before the crash"}')

    invoke("deliver-url")

    assert receiver.received()[0].body == b'{"decided":"before the crash"}'


def test_after_a_200_that_was_not_recorded_the_receiver_gets_the_same_once_more(
    world: World, receiver: Receiver
) -> None:
    world.job(receiver.url(), "url")
    invoke("deliver-url")
    forget(world, Delivery())

    assert invoke("deliver-url")["status"] == "delivered"

    first, second = receiver.received()
    assert (first.body, first.headers["webhook-id"]) == (second.body, second.headers["webhook-id"])


def test_after_a_recorded_200_nothing_is_sent_and_nothing_given_up(world: World, receiver: Receiver) -> None:
    world.job(receiver.url(), "url")
    invoke("deliver-url")

    invoke("deliver-url")
    world.give_up()

    assert len(receiver.received()) == 1
    assert world.dead_letters() == []
    assert world.store.get_delivery(JOB).status == "delivered"


@pytest.mark.usefixtures("refused")
def test_after_giving_up_the_letter_is_made_again_and_no_attempt_follows(world: World, receiver: Receiver) -> None:
    lost = invoke("give-up")["letter"]
    again = invoke("give-up")["letter"]

    assert json.loads(lost) == json.loads(again)
    with pytest.raises(CallbackGoneError, match="given up before"):
        invoke("deliver-url")
    assert len(receiver.received()) == 1


@pytest.mark.usefixtures("refused")
def test_after_the_letter_was_recorded_there_is_no_second_one(world: World) -> None:
    world.give_up()

    assert invoke("record-dead-letter")["status"] == "dead_lettered"  # tried again after a lost answer
    world.give_up()

    assert len(world.dead_letters()) == 1
    assert world.store.get_delivery(JOB).giving_up is False


@pytest.mark.usefixtures("refused")
def test_a_redelivery_is_not_ended_by_the_letter_of_the_round_before(world: World) -> None:
    invoke("give-up")
    delivery = world.store.get_delivery(JOB)
    world.store.put_delivery(JOB, delivery.model_copy(update={"round": 1, "giving_up": False}))

    assert invoke("record-dead-letter")["status"] == "pending"


def test_an_attempt_that_is_recorded_as_delivered_while_giving_up_wins(
    world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.job(receiver.url(), "url")
    has_payload = world.store.has_payload

    def delivered_meanwhile(job_id: str) -> bool:
        monkeypatch.setattr(type(world.store), "has_payload", lambda _, job_id: has_payload(job_id))
        invoke("deliver-url")
        return True

    monkeypatch.setattr(type(world.store), "has_payload", lambda _, job_id: delivered_meanwhile(job_id))

    with pytest.raises(StorageUnavailableError, match="being changed by others"):
        invoke("give-up")
    assert invoke("give-up") == {"letter": None}
    assert world.store.get_delivery(JOB).status == "delivered"
