"""The command that redelivers a whole dead-letter queue, on moto's AWS; the state machine is played by the test."""

import json
import re
import threading
import time
import uuid
from functools import partial

import boto3
import pytest
import typer
from typer.testing import CliRunner, Result

from imagejobs.executions import ExecutionName, Executions
from imagejobs.job_store import Delivery, JobStore
from tests.support.jobs import job_request
from tests.support.waiting import PATIENCE, wait_until
from tools.redeliver import Fate, Redeliverer, main


@pytest.fixture
def redeliverer(
    stack: dict[str, str], store: JobStore, executions: Executions, monkeypatch: pytest.MonkeyPatch
) -> Redeliverer:
    monkeypatch.setattr("tools.redeliver._POLL_SECONDS", 0.05)
    monkeypatch.setattr("tools.redeliver._WAIT_SECONDS", 0)
    queue = boto3.client("sqs")
    return Redeliverer(queue, stack["DEAD_LETTER_QUEUE_URL"], store, executions, patience=PATIENCE)


def dead_letter(to: Redeliverer, body: str | None = None) -> str:
    """A job whose delivery was given up, with its letter on the queue."""
    job_id = str(uuid.uuid4())
    to.store.create(job_request("url", job_id=job_id))
    to.store.decide(job_id, b"{}")
    to.store.put_delivery(job_id, Delivery(status="dead_lettered", attempts=3))
    send(to, body or json.dumps({"job_id": job_id}))
    return job_id


def send(to: Redeliverer, body: str) -> None:
    to.queue.send_message(QueueUrl=to.queue_url, MessageBody=body)


def waiting(on: Redeliverer) -> list[str]:
    """The bodies that any reader of the queue sees."""
    bodies = []
    while messages := on.queue.receive_message(QueueUrl=on.queue_url, MaxNumberOfMessages=10).get("Messages", []):
        bodies += [message["Body"] for message in messages]
    return bodies


def play_machine(of: Redeliverer, **endings: str) -> threading.Thread:
    """End each redelivery that is started as `endings` says for its job; a given-up one leaves a new letter."""

    def end(job_id: str, ending: str) -> bool:
        if of.executions.find_status(ExecutionName(job_id, "redelivery", 1)) != "RUNNING":
            return False
        if ending == "dead_lettered":
            send(of, json.dumps({"job_id": job_id, "attempts": 6}))
        of.store.update_delivery(job_id, lambda now: now.model_copy(update={"status": ending}))
        return True

    def run() -> None:
        for job_id, ending in endings.items():
            wait_until(partial(end, job_id, ending))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


class Clock:
    """The command's clock: its patience is over once the machine has ended all that it will end."""

    def __init__(self, machine: threading.Thread) -> None:
        self._machine, self._now = machine, 0.0

    def monotonic(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
        if not self._machine.is_alive():
            self._now += 2 * PATIENCE


def test_only_what_was_delivered_leaves_the_queue(redeliverer: Redeliverer, monkeypatch: pytest.MonkeyPatch) -> None:
    delivered, failed, hung = (dead_letter(redeliverer) for _ in range(3))
    send(redeliverer, "no letter of ours")
    machine = play_machine(redeliverer, **{delivered: "delivered", failed: "dead_lettered"})
    monkeypatch.setattr("tools.redeliver.time", Clock(machine))

    letters = redeliverer.run()

    machine.join(timeout=PATIENCE)
    assert {letter.job_id: letter.fate for letter in letters} == {
        delivered: Fate.DELIVERED,
        failed: Fate.FAILED_AGAIN,
        hung: Fate.STILL_TRYING,
        "": Fate.NOT_POSSIBLE,
    }
    assert sorted(waiting(redeliverer)) == sorted(
        [json.dumps({"job_id": failed, "attempts": 6}), json.dumps({"job_id": hung}), "no letter of ours"]
    )


def test_a_letter_of_what_was_delivered_since_is_removed_and_nothing_sent(redeliverer: Redeliverer) -> None:
    job_id = dead_letter(redeliverer)
    redeliverer.store.update_delivery(job_id, lambda now: now.model_copy(update={"status": "delivered"}))

    (letter,) = redeliverer.run()

    assert letter.fate is Fate.DELIVERED
    assert redeliverer.executions.find_status(ExecutionName(job_id, "redelivery", 1)) is None
    assert waiting(redeliverer) == []


def test_more_letters_than_are_redelivered_at_once_all_have_their_turn(
    redeliverer: Redeliverer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.redeliver.AT_ONCE", 3)
    jobs = [dead_letter(redeliverer) for _ in range(7)]
    machine = play_machine(redeliverer, **dict.fromkeys(jobs, "delivered"))

    letters = redeliverer.run()

    machine.join(timeout=PATIENCE)
    assert {letter.job_id for letter in letters} == set(jobs)
    assert {letter.fate for letter in letters} == {Fate.DELIVERED}
    assert waiting(redeliverer) == []


@pytest.mark.parametrize("wrapped", [False, True])
def test_an_event_of_the_last_word_that_nobody_handled_names_its_job(redeliverer: Redeliverer, wrapped: bool) -> None:
    job_id = dead_letter(redeliverer, body="{}")
    event = {"detail-type": "Step Functions Execution Status Change", "detail": {"name": job_id, "status": "ABORTED"}}
    send(redeliverer, json.dumps({"version": "1.0", "requestPayload": event} if wrapped else event))
    machine = play_machine(redeliverer, **{job_id: "delivered"})

    letters = redeliverer.run()

    machine.join(timeout=PATIENCE)
    assert {letter.job_id: letter.fate for letter in letters} == {"": Fate.NOT_POSSIBLE, job_id: Fate.DELIVERED}
    assert waiting(redeliverer) == ["{}"]


def test_the_command_finds_the_stack_and_says_what_became_of_each_letter(redeliverer: Redeliverer) -> None:
    outputs = {
        "DeadLetterQueueUrl": redeliverer.queue_url,
        "JobsBucketName": "jobs",
        "SecretArn": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:owner",
        "ApiUrl": "https://api.example/v1",
        "StateMachineArn": redeliverer.executions.state_machine_arn,
    }
    template = {
        "Resources": {"Any": {"Type": "AWS::SQS::Queue"}},
        "Outputs": {name: {"Value": value} for name, value in outputs.items()},
    }
    boto3.client("cloudformation").create_stack(StackName="my-stack", TemplateBody=json.dumps(template))
    command = typer.Typer()
    command.command()(main)

    def run() -> Result:
        return CliRunner().invoke(
            command, ["--stack-name", "my-stack", "--patience", str(PATIENCE)], env={"COLUMNS": "60"}
        )

    assert run().output == "no dead letters: there is nothing to redeliver\n"
    job_id = dead_letter(redeliverer)
    machine = play_machine(redeliverer, **{job_id: "delivered"})
    done = run()
    machine.join(timeout=PATIENCE)
    assert done.exit_code == 0, done.output
    assert job_id in done.output
    assert "delivered" in done.output
    assert " 1 dead letter\n" in re.sub(r" +\n", "\n", done.output)

    send(redeliverer, "no letter of ours")
    done = run()
    assert done.exit_code == 1
    assert "not possible" in done.output
