"""Deliveries that are given up, and jobs whose executions ended without one."""

import json
from datetime import UTC, datetime

import boto3
import pytest

from functions.callback import app
from imagejobs.callbacks import BatchCallback, UrlCallback
from imagejobs.errors import (
    CallbackFailedError,
)
from imagejobs.job_store import Delivery
from imagejobs.storage import Bucket
from imagejobs.workflow import EditedImage
from standins.receiver import Receiver
from tests.integration.callback.world import JOB, World, event, invoke
from tests.support.context import Context
from tests.support.map_runs import map_run

# As in `imagejobs.observability`, outside of tests: a call may have nothing to count.
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics to publish")


def test_a_dead_letter_says_what_is_needed_to_bring_the_callback_back(world: World, receiver: Receiver) -> None:
    receiver.script("/callback", 503)
    world.job(f"{receiver.url()}?token=hidden", "url")
    with pytest.raises(CallbackFailedError):
        invoke("deliver-url")

    world.give_up()

    (letter,) = world.dead_letters()
    assert letter.pop("callback_url") == receiver.url().rpartition("/")[0]  # its path may be a secret
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

    world.give_up()

    assert json.loads(world.decided())["status"] == "failed"


def test_no_dead_letter_for_what_was_delivered(world: World, receiver: Receiver) -> None:
    world.job(receiver.url(), "url")
    invoke("deliver-url")

    world.give_up()

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


def test_the_last_word_on_a_batch_says_what_was_made(world: World) -> None:
    world.job("https://example.com/", "batch")

    with map_run(
        world.clients.step_functions, "TIMED_OUT", total=9, succeeded=4, failed=1, aborted=2, pending=2
    ) as asked:
        asked.add_response("start_execution", {"executionArn": "arn", "startDate": datetime.now(UTC)})
        invoke("last-word-timed-out")

    payload = BatchCallback.model_validate_json(world.decided())
    assert (payload.status, payload.total_files, payload.processed, payload.failed) == ("failed", 9, 4, 5)
    assert (payload.error or "").startswith("States.Timeout")


@pytest.mark.parametrize("event_name", ["last-word-failed", "give-up"])
def test_an_edit_that_was_kept_is_the_result_though_its_worker_or_its_callbacks_died(
    world: World, event_name: str
) -> None:
    world.job("https://example.com/", "url", filename="a.png")
    edited = EditedImage(content_type="image/webp", engine="openai", attempts=1, bytes_in=9, bytes_out=4, ms=5)
    key = f"results/{JOB}/a_modified.webp"
    Bucket(boto3.client("s3"), "output").put(key, b"edit", "image/webp", metadata=edited.metadata())

    invoke(event_name)

    payload = UrlCallback.model_validate_json(world.decided())
    assert (payload.status, payload.object_key) == ("completed", key)


def test_another_object_in_an_edits_place_is_no_result(world: World) -> None:
    world.job("https://example.com/", "url", filename="a.png")
    Bucket(boto3.client("s3"), "output").put(f"results/{JOB}/a_modified.png", b"edit", "image/png")

    invoke("last-word-failed")

    assert UrlCallback.model_validate_json(world.decided()).status == "failed"


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


def test_the_last_word_finishes_what_a_stopped_execution_had_given_up(world: World, receiver: Receiver) -> None:
    world.job(receiver.url())
    invoke("give-up")

    invoke("last-word-aborted")
    invoke("last-word-aborted")  # EventBridge delivers at least once

    assert world.started() == set()
    assert [letter["job_id"] for letter in world.dead_letters()] == [JOB]
    assert world.store.get_delivery(JOB).status == "dead_lettered"
    assert receiver.received() == []


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
