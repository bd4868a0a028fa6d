"""Jobs that were posted without a callbackUrl: their payload is decided, and nobody is called."""

import json

import pytest

from functions.callback import app
from imagejobs.executions import ExecutionName
from imagejobs.workflow import EditedImage
from tests.integration.callback.world import JOB, World, invoke
from tests.support.context import Context

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics to publish")


def test_the_payload_is_decided_once_and_nothing_is_sent(world: World) -> None:
    world.job(None, "url")

    assert invoke("deliver-url")["status"] == "not_requested"

    decided = world.decided()
    assert json.loads(decided)["status"] == "completed"
    delivery = world.store.get_delivery(JOB)
    assert (delivery.status, delivery.attempts) == ("not_requested", 0)
    assert invoke("deliver-failed")["status"] == "not_requested"  # after a lost answer
    assert world.decided() == decided


def test_there_is_never_a_dead_letter(world: World) -> None:
    world.job(None)

    assert invoke("give-up") == {"letter": None}
    assert world.store.get_delivery(JOB).status == "not_requested"

    assert world.dead_letters() == []
    assert json.loads(world.decided())["status"] == "failed"


def test_the_last_word_decides_and_starts_no_delivery(world: World) -> None:
    world.job(None)
    edited = EditedImage(content_type="image/png", engine="openai", attempts=1, bytes_in=1, bytes_out=4, ms=1)
    world.store.bucket.put(world.store.key(JOB, "result"), b"edit", edited.content_type, metadata=edited.metadata())

    invoke("last-word-timed-out")

    assert json.loads(world.decided())["status"] == "completed"
    assert world.store.get_delivery(JOB).status == "not_requested"
    assert world.started() == set()


def test_the_sweeper_gives_a_last_word_that_was_missed_and_then_has_nothing_to_do(world: World) -> None:
    world.job(None)
    world.executions.start(ExecutionName(JOB), "base64")
    world.executions.stop(ExecutionName(JOB), error="", cause="")

    assert sweep() == {"looked_at": 1, "missed": 1, "failed": 0}
    assert sweep() == {"looked_at": 1, "missed": 0, "failed": 0}
    assert world.store.has_payload(JOB)


def sweep() -> object:
    return app.handler({"action": "sweep", "grace_seconds": 0}, Context())
