"""Executions that ended while the event that tells of it was lost."""

import json
import uuid
from typing import Any, Literal

import pytest

from functions.callback import app, sweeper
from imagejobs.executions import ExecutionName
from imagejobs.job_store import Delivery
from standins.receiver import Receiver
from tests.integration.callback.world import JOB, World, invoke
from tests.support.context import Context

type Kind = Literal["job", "last-word", "redelivery"]

# As `imagejobs.observability` has it outside of tests.
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics to publish")


def aborted(world: World, job_id: str = JOB, kind: Kind = "job", round_: int = 0) -> None:
    """An execution of the job that ended, of which nobody was told."""
    name = ExecutionName(job_id, kind, round_)
    world.executions.start(name, "base64")
    world.executions.stop(name, error="", cause="")


def sweep(**choices: Any) -> dict[str, Any]:
    return app.handler({"action": "sweep", "grace_seconds": 0, **choices}, Context()) or {}


def test_a_job_whose_event_was_lost_gets_its_last_word_once(world: World, receiver: Receiver) -> None:
    world.job(receiver.url())
    aborted(world)

    assert sweep() == {"looked_at": 1, "missed": 1, "failed": 0}
    assert sweep() == {"looked_at": 1, "missed": 0, "failed": 0}

    assert world.started() == {JOB, f"{JOB}-last-word"}
    invoke("deliver-decided")
    assert receiver.received()[0].json()["error"] == "aborted: the job's execution was stopped before its end"
    assert sweep()["missed"] == 0


def test_a_cancelled_job_whose_event_was_lost_gets_what_was_decided(world: World) -> None:
    world.job("https://example.com/")
    world.store.decide(JOB, b'{"error":"cancelled"}')
    aborted(world)

    assert sweep()["missed"] == 1

    assert world.decided() == b'{"error":"cancelled"}'
    assert world.started() == {JOB, f"{JOB}-last-word"}


@pytest.mark.parametrize(("kind", "round_"), [("last-word", 0), ("redelivery", 1)])
def test_a_lost_end_of_a_delivery_becomes_a_dead_letter(world: World, kind: Kind, round_: int) -> None:
    world.job("https://example.com/")
    world.store.decide(JOB, b"{}")
    world.store.put_delivery(JOB, Delivery(round=round_))
    aborted(world)
    aborted(world, kind=kind, round_=round_)

    assert sweep()["missed"] == 1
    assert sweep()["missed"] == 0

    assert [letter["job_id"] for letter in world.dead_letters()] == [JOB]


@pytest.mark.parametrize("status", ["delivered", "dead_lettered"])
def test_what_has_had_its_end_is_left_alone(world: World, status: str) -> None:
    world.job("https://example.com/")
    world.store.decide(JOB, b"{}")
    world.store.put_delivery(JOB, Delivery(status=status))
    aborted(world)

    assert sweep() == {"looked_at": 1, "missed": 0, "failed": 0}

    assert world.started() == {JOB}
    assert world.dead_letters() == []


def test_a_running_job_and_an_execution_without_a_record_are_left_alone(world: World) -> None:
    running = world.job("https://example.com/", job_id=str(uuid.uuid4()))
    world.executions.start(ExecutionName(running), "base64")
    aborted(world)  # its record has expired, or never was

    assert sweep() == {"looked_at": 1, "missed": 0, "failed": 0}

    assert world.started() == {running, JOB}


def test_an_event_has_time_to_arrive_and_yesterdays_ends_are_not_looked_at(world: World) -> None:
    world.job("https://example.com/")
    aborted(world)

    assert sweep(grace_seconds=300)["looked_at"] == 0
    assert sweep(hours=0.0000001)["looked_at"] == 0
    assert sweep()["looked_at"] == 1


def test_a_sweep_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(4):
        aborted(world, str(uuid.uuid4()))
    monkeypatch.setattr(sweeper, "MAX_EXECUTIONS", 3)

    assert sweep()["looked_at"] == 3


def test_one_job_that_cannot_be_read_keeps_no_other_from_its_last_word(world: World) -> None:
    broken = world.job("https://example.com/", job_id=str(uuid.uuid4()))
    world.clients.s3.put_object(Bucket="jobs", Key=f"jobs/{broken}/delivery.json", Body=b"not JSON")
    world.job("https://example.com/")
    aborted(world, broken)
    aborted(world)

    assert sweep() == {"looked_at": 2, "missed": 1, "failed": 1}

    assert f"{JOB}-last-word" in world.started()


def test_what_a_sweep_finds_and_what_keeps_it_from_looking_is_counted(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.job("https://example.com/")
    aborted(world)
    sweep()
    world.configure(STATE_MACHINE_ARN="arn:aws:states:eu-central-1:123456789012:stateMachine:gone")

    assert sweep() == {"looked_at": 0, "missed": 0, "failed": 1}

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    counts = [(line["LastWordsMissed"], line["SweepsFailed"]) for line in lines if "SweepsFailed" in line]
    assert counts == [([1.0], [0.0]), ([0.0], [1.0])]
