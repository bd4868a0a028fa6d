"""A job's callback sent once more, on request."""

import json

import pytest

from functions.accept.http.problems import ConflictError, NotFoundError
from functions.accept.jobs.steer import DeliveryUnderWayError, redeliver
from imagejobs.errors import (
    CallbackFailedError,
)
from imagejobs.executions import ExecutionName
from imagejobs.job_store import Delivery
from tests.integration.callback.world import JOB, Inbox, World, invoke

# As in `imagejobs.observability`, outside of tests: a call may have nothing to count.
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics to publish")


def test_a_redelivery_sends_the_same_bytes_again(world: World, serve):
    inbox = Inbox(serve, 503, 200)
    world.job(inbox.url, "url")
    with pytest.raises(CallbackFailedError):
        invoke("deliver-url")
    invoke("dead-letter")

    redeliver(JOB, world.store, world.executions)
    assert world.started() == {f"{JOB}-redelivery-1"}
    invoke("deliver-decided")

    assert inbox.requests[0][1] == inbox.requests[1][1]
    delivery = world.store.get_delivery(JOB)
    assert (delivery.status, delivery.attempts, delivery.round) == ("delivered", 2, 1)


def test_a_delivered_callback_can_be_sent_once_more(world: World, serve):
    inbox = Inbox(serve)
    world.job(inbox.url, "url")
    invoke("deliver-url")

    redeliver(JOB, world.store, world.executions)
    invoke("deliver-decided")

    assert len(inbox.requests) == 2


def test_a_redelivery_under_way_is_not_started_twice(world: World):
    world.job("https://example.com/")
    world.store.decide(JOB, b"{}")
    world.store.put_delivery(JOB, Delivery(status="dead_lettered"))

    redeliver(JOB, world.store, world.executions)
    with pytest.raises(DeliveryUnderWayError):
        redeliver(JOB, world.store, world.executions)
    assert world.started() == {f"{JOB}-redelivery-1"}


def test_a_redelivery_whose_execution_was_never_started_is_started(world: World):
    world.job("https://example.com/")
    world.store.decide(JOB, b"{}")
    world.store.put_delivery(JOB, Delivery(round=3))

    with pytest.raises(DeliveryUnderWayError):
        redeliver(JOB, world.store, world.executions)
    assert world.started() == {f"{JOB}-redelivery-3"}


def test_a_first_delivery_under_way_is_left_alone_and_one_that_ended_unrecorded_begins_anew(world: World):
    world.job("https://example.com/")
    world.store.decide(JOB, b"{}")
    world.executions.start(ExecutionName(JOB), "base64")
    with pytest.raises(DeliveryUnderWayError):
        redeliver(JOB, world.store, world.executions)

    world.executions.client.stop_execution(executionArn=world.executions.arn(ExecutionName(JOB)))
    redeliver(JOB, world.store, world.executions)


def test_a_job_that_ended_without_its_last_word_gets_it_by_redelivery(world: World, serve):
    inbox = Inbox(serve)
    world.job(inbox.url)
    name = ExecutionName(JOB)
    world.executions.start(name, "base64")
    with pytest.raises(ConflictError, match="no result yet"):
        redeliver(JOB, world.store, world.executions)

    world.executions.client.stop_execution(executionArn=world.executions.arn(name))
    redeliver(JOB, world.store, world.executions)
    invoke("deliver-decided")

    assert json.loads(inbox.requests[0][1])["status"] == "failed"


def test_an_unknown_job_is_not_redelivered(world: World):
    with pytest.raises(NotFoundError):
        redeliver(JOB, world.store, world.executions)
