"""Delivery on the embedded AWS: whatever its receiver does, an accepted job ends in one callback or one dead letter."""

import json
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
from standardwebhooks import Webhook

from imagejobs.callbacks import CANCELLED, failed_callback
from imagejobs.executions import ExecutionName, Executions
from imagejobs.job_store import JobStore
from imagejobs.settings import StorageSettings
from local.stack import StackInfo
from standins.receiver import Received, Step
from tests.e2e.conftest import Service
from tests.support.sockets import answering, read_body, serving
from tests.support.waiting import PATIENCE, wait_until
from tools.redeliver import Fate, Redeliverer

JOBS = 60
# How receivers behave, with how many jobs of the sixty meet it. Three attempts are made.
TEMPERS: list[tuple[int, list[Step | int]]] = [
    (16, [200]),
    (8, [503, 200]),
    (8, [500, 429, 204]),
    (6, [Step(drop=True), 200]),
    (4, [Step(hang=3), 200]),
    (4, [302, 202]),
    (6, [503]),
    (4, [Step(drop=True)]),
    (4, [410]),
]

type ChangeMachine = Callable[[Callable[[dict[str, Any]], None]], None]


@pytest.fixture
def executions(stack: StackInfo) -> Executions:
    return Executions(stack.client("stepfunctions"), stack.state_machine_arn)


@pytest.fixture
def webhook(stack: StackInfo) -> Webhook:
    """What a receiver checks signatures with: the key that the stack made."""
    secret = stack.client("secretsmanager").get_secret_value(SecretId=stack.signing_secret_arn)["SecretString"]
    return Webhook(json.loads(secret)["CALLBACK_SIGNING_KEY"])


@pytest.fixture
def machine(stack: StackInfo) -> Iterator[ChangeMachine]:
    """Change the definition of the state machine; it is put back at the end."""
    client = stack.client("stepfunctions")
    original = client.describe_state_machine(stateMachineArn=stack.state_machine_arn)["definition"]

    def put(definition: str) -> None:
        client.update_state_machine(stateMachineArn=stack.state_machine_arn, definition=definition)

    def change(edit: Callable[[dict[str, Any]], None]) -> None:
        definition = json.loads(original)
        edit(definition)
        put(json.dumps(definition))

    yield change
    put(original)


@pytest.fixture
def empty_queue(stack: StackInfo) -> None:
    """Other tests leave dead letters behind."""
    sqs, url = stack.client("sqs"), stack.dead_letter_queue_url
    while found := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
        for message in found:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


def letters_on(stack: StackInfo) -> list[dict[str, Any]]:
    """Read the dead-letter queue and leave it as it was."""
    sqs, url, messages = stack.client("sqs"), stack.dead_letter_queue_url, []
    while found := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=30).get("Messages", []):
        messages += found
    for message in messages:
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
    return [json.loads(message["Body"]) for message in messages]


def took(requests: list[Received], steps: list[Step | int]) -> list[Received]:
    """Those of the requests to one path that its script answered with 2xx."""
    answers = [steps[min(number, len(steps) - 1)] for number in range(len(requests))]
    statuses = [step if isinstance(step, int) else 0 if step.drop or step.hang else step.status for step in answers]
    return [request for request, status in zip(requests, statuses, strict=True) if 200 <= status < 300]


def body_of(job: str, store: JobStore) -> bytes:
    """The body of a job's callback, as it was decided."""
    payload = store.find_payload(job)
    assert payload is not None
    return payload.body


@dataclass(frozen=True)
class Sixty:
    """Sixty jobs that are settled, by id: the path of each one's callback, and what the receiver answers there."""

    paths: dict[str, str]
    tempers: dict[str, list[Step | int]]

    @property
    def hopeless(self) -> set[str]:
        """The jobs whose receiver never takes the callback."""
        return {job for job, steps in self.tempers.items() if len(steps) == 1 and steps != [200]}


@pytest.fixture
def sixty(service: Service, store: JobStore, empty_queue: None) -> Sixty:
    tempers = [steps for count, steps in TEMPERS for _ in range(count)]
    random.Random(3).shuffle(tempers)
    paths = [f"/{number}" for number in range(JOBS)]
    for path, steps in zip(paths, tempers, strict=True):
        service.receiver.script(path, *steps)
    with ThreadPoolExecutor(2) as pool:
        ids = list(pool.map(lambda path: service.submit_url(path=f"{path}?token=hidden"), paths))
    pending = set(ids)

    def settled() -> bool:
        pending.difference_update([job for job in pending if store.get_delivery(job).status != "pending"])
        return not pending

    wait_until(settled, 5 * PATIENCE, "every job delivered or dead-lettered", every=0.5)
    return Sixty(dict(zip(ids, paths, strict=True)), dict(zip(ids, tempers, strict=True)))


def test_sixty_jobs_against_a_receiver_in_every_temper(
    sixty: Sixty, stack: StackInfo, service: Service, store: JobStore, executions: Executions, webhook: Webhook
) -> None:
    receiver, jobs = service.receiver, set(sixty.paths)
    assert len(jobs) == JOBS
    taken = [took(receiver.received(path), sixty.tempers[job]) for job, path in sixty.paths.items()]
    delivered = Counter(request.headers["webhook-id"] for requests in taken for request in requests)
    letters = letters_on(stack)
    dead = Counter(letter["job_id"] for letter in letters)

    # Accepted = delivered + dead-lettered, and each exactly once.
    assert set(dead) == sixty.hopeless
    assert set(delivered) == jobs - sixty.hopeless
    assert set(delivered.values()) | set(dead.values()) == {1}
    assert not any("hidden" in json.dumps(letter) for letter in letters)
    for job, path in sixty.paths.items():
        requests = receiver.received(path)
        assert {request.body for request in requests} == {body_of(job, store)}
        assert {request.headers["webhook-id"] for request in requests} == {job}
        assert webhook.verify(requests[-1].body, requests[-1].headers)["job_id"] == job
    redelivers_to_a_healthy_receiver(sixty, stack, service, store, executions)


def redelivers_to_a_healthy_receiver(
    sixty: Sixty, stack: StackInfo, service: Service, store: JobStore, executions: Executions
) -> None:
    """The queue is redelivered until nothing is left on it."""
    for path in sixty.paths.values():
        service.receiver.script(path, 200)
    redeliverer = Redeliverer(
        stack.client("sqs"), stack.dead_letter_queue_url, store, executions, patience=2 * PATIENCE
    )

    assert {letter.job_id: letter.fate for letter in redeliverer.run()} == dict.fromkeys(sixty.hopeless, Fate.DELIVERED)
    assert letters_on(stack) == []
    assert {store.get_delivery(job).status for job in sixty.paths} == {"delivered"}
    for job in sixty.hopeless:
        assert {request.body for request in service.receiver.received(sixty.paths[job])} == {body_of(job, store)}


def test_a_receiver_that_answers_503_twice_gets_the_payload_on_the_third_attempt(
    service: Service, store: JobStore, webhook: Webhook
) -> None:
    service.receiver.script("/thrice", 503, 503, 200)

    job = service.submit_url(path="/thrice")

    requests = service.receiver.wait(3, path="/thrice", timeout=PATIENCE)
    assert len({request.body for request in requests}) == 1
    assert webhook.verify(requests[2].body, requests[2].headers)["job_id"] == job
    wait_until(lambda: store.get_delivery(job).status == "delivered", what="recorded as delivered")
    assert store.get_delivery(job).attempts == 3


def test_a_job_that_is_cancelled_while_its_callback_is_posted_gets_it_once(
    service: Service, stack: StackInfo, store: JobStore, executions: Executions
) -> None:
    asked, end = threading.Event(), threading.Event()

    def slow(connection: socket.socket, head: bytes) -> None:
        read_body(connection, head)
        asked.set()
        assert end.wait(PATIENCE)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with serving() as serve:
        # A receiver that takes one callback, and refuses a second one for good: that would make a dead letter.
        once = serve(slow, answering("410 Gone"))
        job = service.submit_url(headers={"callbackUrl": once.url}, prompt="[fault:hang]")
        # A cancellation is decided, then stops the execution: meanwhile its worker sends what was decided.
        request = store.get_request(job)
        store.decide(job, failed_callback(request, CANCELLED, StorageSettings.from_environment({})))
        assert asked.wait(PATIENCE)
        assert service.http.delete(f"/jobs/{job}").status_code == 202
        last = ExecutionName(job, "last-word")
        wait_until(lambda: executions.find_status(last) == "RUNNING", what="the last word begins")
        time.sleep(2)  # for a post that must not come
        assert service.job(job)["delivery"] == {"status": "pending", "attempts": 0}
        end.set()
        wait_until(lambda: executions.find_status(last) == "SUCCEEDED", what="the last word ends")

    assert len(once.heads) == 1
    assert (service.job(job)["status"], service.job(job)["delivery"]) == (
        "cancelled",
        {"status": "delivered", "attempts": 1},
    )
    assert job not in {letter.get("job_id") for letter in letters_on(stack)}


def last_word(service: Service, job: str) -> str:
    """The error of the one callback, a failed one, that a job got."""
    payload = service.callback(job)
    time.sleep(2)  # for one that must not come
    assert len(service.callbacks(job)) == 1
    assert (payload["status"], payload["job_id"]) == ("failed", job)
    return str(payload["error"])


def test_an_aborted_job_has_its_last_word(service: Service, executions: Executions) -> None:
    job = service.submit_url(headers={"x-correlation-id": "aborted-1"}, prompt="[fault:hang]")
    wait_until(lambda: executions.find_status(ExecutionName(job)) == "RUNNING", what="the job runs")

    executions.client.stop_execution(executionArn=executions.arn(ExecutionName(job)))

    assert last_word(service, job).startswith("aborted")
    assert service.callbacks(job)[0].headers["x-correlation-id"] == "aborted-1"


def test_a_job_that_times_out_has_its_last_word(service: Service, machine: ChangeMachine) -> None:
    machine(lambda definition: definition.update(TimeoutSeconds=2))

    job = service.submit_url(prompt="[fault:hang]")

    assert last_word(service, job).startswith("States.Timeout")


def test_a_job_that_breaks_outside_its_error_paths_has_its_last_word(service: Service, machine: ChangeMachine) -> None:
    # A Choice has no Catch: to ask for what is not there ends the execution.
    broken = {
        "Type": "Choice",
        "Choices": [{"Variable": "$.nowhere", "NumericEquals": 1, "Next": "EditImage"}],
        "Default": "EditImage",
    }
    machine(lambda definition: definition["States"].update(StartSmall=broken))

    assert last_word(service, service.submit_url()).startswith("States.")
