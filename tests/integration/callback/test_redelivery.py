"""A job's callback sent once more, on request."""

from datetime import UTC, datetime

import pytest
from botocore.stub import Stubber

from functions.accept.http.problems import ConflictError
from functions.accept.jobs.steer import DeliveryUnderWayError, redeliver
from imagejobs.errors import CallbackFailedError, PayloadGoneError
from imagejobs.executions import ExecutionName
from imagejobs.job_store import Delivery, Erasure
from standins.receiver import Receiver
from tests.integration.callback.world import JOB, World, invoke

# As in `imagejobs.observability`, outside of tests: a call may have nothing to count.
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics to publish")


NOW = datetime.now(UTC)


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
    assert f"{JOB}-last-word" in world.started()
    invoke("deliver-decided")

    assert receiver.received()[0].json()["status"] == "failed"


@pytest.mark.parametrize("attempts", [0, 1])
def test_a_payload_that_is_gone_is_not_sent_again_and_no_other_is_decided(
    world: World, receiver: Receiver, attempts: int
) -> None:
    receiver.script("/callback", *[503] * attempts, 200)
    world.job(receiver.url(), "url")
    for _ in range(attempts):
        with pytest.raises(CallbackFailedError):
            invoke("deliver-url")
    if attempts == 0:
        invoke("deliver-url")
        redeliver(JOB, world.store, world.executions)
    world.clients.s3.delete_object(Bucket="jobs", Key=f"jobs/{JOB}/callback.json")

    with pytest.raises(PayloadGoneError):
        invoke("deliver-url", execution=JOB if attempts else f"{JOB}-redelivery-1")
    assert invoke("give-up", execution=JOB if attempts else f"{JOB}-redelivery-1")["letter"]
    with pytest.raises(ConflictError, match="deleted from the jobs bucket"):
        redeliver(JOB, world.store, world.executions)

    assert len(receiver.received()) == 1
    assert not world.store.has_payload(JOB)


def test_a_job_that_succeeded_and_whose_whole_result_is_gone_gets_no_last_word(world: World) -> None:
    world.job("https://example.com/")
    known = {"executionArn": "arn", "stateMachineArn": "arn", "startDate": NOW, "status": "SUCCEEDED"}

    with Stubber(world.executions.client) as step_functions:
        step_functions.add_response("describe_execution", known)
        with pytest.raises(ConflictError, match="deleted from the jobs bucket"):
            redeliver(JOB, world.store, world.executions)


def test_a_redelivery_beside_an_erasure_ends_quietly(world: World, receiver: Receiver) -> None:
    world.job(receiver.url(), "url")
    invoke("deliver-url")
    redeliver(JOB, world.store, world.executions)
    delivery = world.store.get_delivery(JOB)
    erased = {"job_id": JOB, "caller": "a", "operation": "url", "created_at": NOW, "erased_at": NOW}
    world.store.put_erasure(Erasure.model_validate(erased | {"delivery": delivery}))
    found = world.clients.s3.list_objects_v2(Bucket="jobs", Prefix=f"jobs/{JOB}/")["Contents"]
    left = [entry["Key"] for entry in found if not entry["Key"].endswith("erased.json")]
    redelivery = f"{JOB}-redelivery-1"

    # At its beginning the request goes, then all the rest.
    for key in sorted(left, key=lambda key: not key.endswith("request.json")):
        world.store.bucket.delete_all([key])
        invoke("deliver-decided", execution=redelivery)
        assert invoke("give-up", execution=redelivery) == {"letter": None}
        invoke("record-dead-letter")

    assert len(receiver.received()) == 1
    assert world.store.get_delivery(JOB).etag is None
    assert not world.store.has_payload(JOB)


def test_an_execution_of_another_round_neither_posts_nor_gives_up(world: World, receiver: Receiver) -> None:
    world.job(receiver.url(), "url")
    invoke("deliver-decided", execution=f"{JOB}-redelivery-1")  # its record was erased meanwhile
    assert not world.store.has_payload(JOB)
    invoke("deliver-url")
    redeliver(JOB, world.store, world.executions)

    invoke("deliver-url")  # asked again, since its answer was lost
    world.give_up()

    assert len(receiver.received()) == 1
    assert world.dead_letters() == []
    assert world.store.get_delivery(JOB).status == "pending"


def test_an_unknown_job_is_not_redelivered(world: World) -> None:
    with pytest.raises(ConflictError):
        redeliver(JOB, world.store, world.executions)
