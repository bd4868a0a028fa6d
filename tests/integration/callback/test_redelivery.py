"""A job's callback sent once more, on request."""

import pytest

from functions.accept.http.problems import ConflictError
from functions.accept.jobs.steer import DeliveryUnderWayError, redeliver
from imagejobs.errors import (
    CallbackFailedError,
)
from imagejobs.executions import ExecutionName
from imagejobs.job_store import Delivery
from standins.receiver import Receiver
from tests.integration.callback.world import JOB, World, invoke

# As in `imagejobs.observability`, outside of tests: a call may have nothing to count.
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics to publish")


def test_a_redelivery_sends_the_same_bytes_again(world: World, receiver: Receiver) -> None:
    receiver.script("/callback", 503, 200)
    world.job(receiver.url(), "url")
    with pytest.raises(CallbackFailedError):
        invoke("deliver-url")
    world.give_up()

    redeliver(JOB, world.store, world.executions)
    assert world.started() == {f"{JOB}-redelivery-1"}
    invoke("deliver-decided", execution=f"{JOB}-redelivery-1")

    assert receiver.received()[0].body == receiver.received()[1].body
    delivery = world.store.get_delivery(JOB)
    assert (delivery.status, delivery.attempts, delivery.round) == ("delivered", 2, 1)


def test_a_delivered_callback_can_be_sent_once_more(world: World, receiver: Receiver) -> None:
    world.job(receiver.url(), "url")
    invoke("deliver-url")

    redeliver(JOB, world.store, world.executions)
    invoke("deliver-decided", execution=f"{JOB}-redelivery-1")

    assert len(receiver.received()) == 2


def test_a_redelivery_under_way_is_not_started_twice(world: World) -> None:
    world.job("https://example.com/")
    world.store.decide(JOB, b"{}")
    world.store.put_delivery(JOB, Delivery(status="dead_lettered"))

    redeliver(JOB, world.store, world.executions)
    with pytest.raises(DeliveryUnderWayError):
        redeliver(JOB, world.store, world.executions)
    assert world.started() == {f"{JOB}-redelivery-1"}


def test_a_redelivery_whose_execution_was_never_started_is_started(world: World) -> None:
    world.job("https://example.com/")
    world.store.decide(JOB, b"{}")
    world.store.put_delivery(JOB, Delivery(round=3))

    with pytest.raises(DeliveryUnderWayError):
        redeliver(JOB, world.store, world.executions)
    assert world.started() == {f"{JOB}-redelivery-3"}


def test_a_first_delivery_under_way_is_left_alone_and_one_that_ended_unrecorded_begins_anew(world: World) -> None:
    world.job("https://example.com/")
    world.store.decide(JOB, b"{}")
    world.executions.start(ExecutionName(JOB), "base64")
    with pytest.raises(DeliveryUnderWayError):
        redeliver(JOB, world.store, world.executions)

    world.executions.client.stop_execution(executionArn=world.executions.arn(ExecutionName(JOB)))
    redeliver(JOB, world.store, world.executions)


def test_a_job_that_ended_without_its_last_word_gets_it_by_redelivery(world: World, receiver: Receiver) -> None:
    world.job(receiver.url())
    name = ExecutionName(JOB)
    world.executions.start(name, "base64")
    with pytest.raises(ConflictError, match="no result yet"):
        redeliver(JOB, world.store, world.executions)

    world.executions.client.stop_execution(executionArn=world.executions.arn(name))
    redeliver(JOB, world.store, world.executions)
    invoke("deliver-decided", execution=f"{JOB}-redelivery-1")

    assert receiver.received()[0].json()["status"] == "failed"


def test_an_unknown_job_is_not_redelivered(world: World) -> None:
    with pytest.raises(ConflictError):
        redeliver(JOB, world.store, world.executions)
