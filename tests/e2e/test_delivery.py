"""Delivery on the embedded AWS: whatever its receiver does, an accepted job ends in one callback or one dead letter."""

import base64
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest
from standardwebhooks import Webhook

from imagejobs.executions import ExecutionName, Executions
from imagejobs.job_store import JobStore
from imagejobs.storage import Bucket
from local.receiver import Received, Receiver, Step
from local.stack import StackInfo
from tests.pictures import picture
from tools.redeliver import Fate, Redeliverer

JOBS = 60
# How receivers behave, with how many jobs of the sixty meet it. Three attempts are made, 5 s each at the most.
TEMPERS: list[tuple[int, list[Step | int]]] = [
    (16, [200]),
    (8, [503, 200]),
    (8, [500, 429, 204]),
    (6, [Step(drop=True), 200]),
    (4, [Step(hang=8), 200]),
    (4, [302, 202]),
    (6, [503]),
    (4, [Step(drop=True)]),
    (4, [410]),
]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def store(stack: StackInfo) -> JobStore:
    return JobStore(Bucket(stack.client("s3"), stack.jobs_bucket))


@pytest.fixture
def executions(stack: StackInfo) -> Executions:
    return Executions(stack.client("stepfunctions"), stack.state_machine_arn)


@pytest.fixture
def webhook(stack: StackInfo) -> Webhook:
    """What a receiver checks signatures with: the key that the stack made."""
    secret = stack.client("secretsmanager").get_secret_value(SecretId=stack.secret_arn)["SecretString"]
    return Webhook(json.loads(secret)["CALLBACK_SIGNING_KEY"])


@pytest.fixture
def machine(stack: StackInfo) -> Iterator[Callable[[Callable[[dict], None]], None]]:
    """Change the definition of the state machine; it is put back at the end."""
    client = stack.client("stepfunctions")
    original = client.describe_state_machine(stateMachineArn=stack.state_machine_arn)["definition"]

    def put(definition: str) -> None:
        client.update_state_machine(stateMachineArn=stack.state_machine_arn, definition=definition)

    def change(edit: Callable[[dict], None]) -> None:
        definition = json.loads(original)
        edit(definition)
        put(json.dumps(definition))

    yield change
    put(original)


def submit(stack: StackInfo, callback_url: str, prompt: str = "make it blue") -> str:
    """Post one image to be edited and stored; returns the job's id."""
    answer = httpx2.post(
        f"{stack.api_url}/process-image-async",
        json={"prompt": prompt, "image_base64": base64.b64encode(picture()).decode()},
        headers={"callbackUrl": callback_url},
        timeout=30,
    )
    assert answer.status_code == 202, answer.text
    return answer.json()["job_id"]


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds} s: {what}")
        time.sleep(0.5)


def letters_on(stack: StackInfo) -> list[dict]:
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


def test_sixty_jobs_against_a_receiver_in_every_temper(stack, receiver, store, executions, webhook):
    tempers = [steps for count, steps in TEMPERS for _ in range(count)]
    random.Random(3).shuffle(tempers)
    assert len(tempers) == JOBS
    paths = [f"/{number}" for number in range(JOBS)]
    for path, steps in zip(paths, tempers, strict=True):
        receiver.script(path, *steps)
    with ThreadPoolExecutor(6) as pool:
        ids = list(pool.map(lambda path: submit(stack, receiver.url(path) + "?token=hidden"), paths))
    jobs = dict(zip(ids, paths, strict=True))
    assert len(jobs) == JOBS

    def settled() -> bool:
        return all(store.delivery(job)[0].status != "pending" for job in jobs)

    wait_until(settled, 240, "every job delivered or dead-lettered")

    # Accepted = delivered + dead-lettered, and each exactly once.
    delivered = Counter(
        request.headers["webhook-id"]
        for path, steps in zip(jobs.values(), tempers, strict=True)
        for request in took(receiver.received(path), steps)
    )
    letters = letters_on(stack)
    dead = Counter(letter["job_id"] for letter in letters)
    assert set(delivered) | set(dead) == set(jobs)
    assert not set(delivered) & set(dead)
    assert set(delivered.values()) | set(dead.values()) == {1}
    assert len(dead) == sum(count for count, steps in TEMPERS if steps in ([503], [410], [Step(drop=True)]))
    assert not any("hidden" in json.dumps(letter) for letter in letters)
    for job, path in jobs.items():
        requests = receiver.received(path)
        assert {request.body for request in requests} == {store.decided(job).body}
        assert {request.headers["webhook-id"] for request in requests} == {job}
        assert webhook.verify(requests[-1].body, requests[-1].headers)["status"] == "completed"

    # To a healthy receiver, the queue is redelivered until nothing is left.
    for path in jobs.values():
        receiver.script(path, 200)
    redeliverer = Redeliverer(stack.client("sqs"), stack.dead_letter_queue_url, store, executions, patience=60)
    assert {letter.job_id: letter.fate for letter in redeliverer.run()} == dict.fromkeys(dead, Fate.DELIVERED)
    assert letters_on(stack) == []
    assert {store.delivery(job)[0].status for job in jobs} == {"delivered"}
    for job in dead:
        assert {request.body for request in receiver.received(jobs[job])} == {store.decided(job).body}


def test_a_receiver_that_answers_503_twice_gets_the_payload_on_the_third_attempt(stack, receiver, store, webhook):
    receiver.script("/thrice", 503, 503, 200)

    job = submit(stack, receiver.url("/thrice"))

    requests = receiver.wait(3, path="/thrice", timeout=60)
    assert len({request.body for request in requests}) == 1
    assert webhook.verify(requests[2].body, requests[2].headers)["job_id"] == job
    wait_until(lambda: store.delivery(job)[0].status == "delivered", 10, "recorded as delivered")
    assert store.delivery(job)[0].attempts == 3


def failed_callback(receiver: Receiver, path: str, job: str) -> dict:
    """The one callback of a job that failed."""
    (request,) = receiver.wait(1, path=path, timeout=60)
    time.sleep(2)
    assert len(receiver.received(path)) == 1
    payload = request.json()
    assert (payload["status"], payload["job_id"]) == ("failed", job)
    return payload


def test_an_aborted_job_has_its_last_word(stack, receiver, executions):
    job = submit(stack, receiver.url("/aborted"), prompt="[fault:hang]")
    time.sleep(1)

    executions.client.stop_execution(executionArn=executions.arn(ExecutionName(job)))

    assert failed_callback(receiver, "/aborted", job)["error"].startswith("aborted")


def test_a_job_that_times_out_has_its_last_word(stack, receiver, machine):
    machine(lambda definition: definition.update(TimeoutSeconds=4))

    job = submit(stack, receiver.url("/timed-out"), prompt="[fault:hang]")

    assert failed_callback(receiver, "/timed-out", job)["error"].startswith("States.Timeout")


def test_a_job_that_breaks_outside_its_error_paths_has_its_last_word(stack, receiver, machine):
    # A Choice has no Catch: to ask for what is not there ends the execution.
    machine(
        lambda definition: definition["States"].update(
            CountRateLimits={
                "Type": "Choice",
                "Choices": [{"Variable": "$.nowhere", "NumericEquals": 1, "Next": "EditImage"}],
                "Default": "EditImage",
            }
        )
    )

    job = submit(stack, receiver.url("/broken"))

    assert failed_callback(receiver, "/broken", job)["error"].startswith("States.")
