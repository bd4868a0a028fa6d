"""The callback function as it is deployed, against moto's AWS and receivers on loopback."""

import base64
import io
import json
import time
import uuid
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace

import boto3
import pytest
from moto import mock_aws
from standardwebhooks import Webhook

from functions.callback import app
from functions.callback import settings as callback_settings
from imagejobs import executions, storage
from imagejobs.callbacks import Base64Callback, BatchCallback, UrlCallback
from imagejobs.errors import (
    CallbackFailedError,
    CallbackGoneError,
    CallbackRefusedError,
    ConfigurationError,
    StorageRejectedError,
)
from imagejobs.executions import ExecutionName, Executions
from imagejobs.job_store import Delivery, JobRequest, JobStore
from imagejobs.redelivery import Redelivery, redeliver
from imagejobs.storage import Bucket

# As `imagejobs.observability` has it outside of tests: a call that counts nothing is no mistake.
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics to publish")
EVENTS = Path(__file__).parents[3] / "events" / "callback"
EVENT_JOB = "7c1e0c9a-5d1f-4a6e-9a54-0d6f5f1b2c3d"
KEYS = ["whsec_" + base64.b64encode(letter * 32).decode() for letter in (b"a", b"b")]
REGION = "eu-central-1"
CLIENTS = (storage.s3_client, executions.step_functions_client, app._sqs_client)
CONTEXT = SimpleNamespace(
    function_name="callback", memory_limit_in_mb=1024, invoked_function_arn="arn", aws_request_id="request"
)


class World:
    """A stack in moto, with the function's environment set to it."""

    def __init__(self, aws, monkeypatch: pytest.MonkeyPatch) -> None:
        self.aws = aws
        self.s3 = aws("s3")
        for bucket in ("jobs", "output"):
            self.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        self.sqs = aws("sqs")
        self.queue_url = self.sqs.create_queue(QueueName="dead-letters")["QueueUrl"]
        machine = aws("stepfunctions").create_state_machine(
            name="image-job",
            definition=json.dumps({"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}),
            roleArn="arn:aws:iam::123456789012:role/any",
        )
        self.monkeypatch = monkeypatch
        self.configure(
            JOBS_BUCKET="jobs",
            SECRET_ARN=self.secret({"CALLBACK_SIGNING_KEY": " ".join(KEYS)}),
            COS_OUTPUT_BUCKET="output",
            DEAD_LETTER_QUEUE_URL=self.queue_url,
            STATE_MACHINE_ARN=machine["stateMachineArn"],
            CALLBACK_ALLOW_HTTP="true",
            CALLBACK_ALLOW_PRIVATE="true",
            CALLBACK_TIMEOUT_SECONDS="1",
        )
        self.store = JobStore(Bucket(self.s3, "jobs"))
        self.executions = Executions(aws("stepfunctions"), machine["stateMachineArn"])

    def secret(self, members: dict[str, str]) -> str:
        created = self.aws("secretsmanager").create_secret(Name=str(uuid.uuid4()), SecretString=json.dumps(members))
        return created["ARN"]

    def configure(self, **environment: str) -> None:
        for name, value in environment.items():
            self.monkeypatch.setenv(name, value)
        for cached in (app.service, callback_settings.settings):
            cached.cache_clear()

    def job(self, url: str, operation: str = "base64", job_id: str = EVENT_JOB, **more) -> str:
        self.store.create(
            JobRequest(
                job_id=job_id,
                operation=operation,
                prompt="secret prompt",
                callback_url=url,
                correlation_id="correlation-1",
                created_at=datetime.now(UTC) - timedelta(seconds=5),
                fingerprint="f",
                **more,
            )
        )
        return job_id

    def started(self) -> set[str]:
        arn = self.executions.state_machine_arn
        return {entry["name"] for entry in self.executions.client.list_executions(stateMachineArn=arn)["executions"]}

    def dead_letters(self) -> list[dict]:
        messages = self.sqs.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(message["Body"]) for message in messages]


@pytest.fixture(scope="module")
def aws():
    """Clients for all tests of this module: to make one takes a third of a second."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "testing")
        monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
        for cached in CLIENTS:
            cached.cache_clear()
        yield lru_cache(boto3.client)
    for cached in CLIENTS:
        cached.cache_clear()


@pytest.fixture
def world(aws, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with mock_aws():
        yield World(aws, monkeypatch)


def event(name: str) -> dict:
    return json.loads((EVENTS / f"{name}.json").read_text())


def invoke(name: str, **changes) -> dict | None:
    return app.handler({**event(name), **changes}, CONTEXT)


class Inbox:
    """Requests that a receiver took, with a status for each in turn; the last one for all that follow."""

    def __init__(self, serve, *statuses: int) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.receiver = serve(*[self._answering(status) for status in statuses or (200,)])
        self.url = self.receiver.url

    def _answering(self, status: int):
        def behaviour(connection, head):
            lines = head.decode().split("\r\n")[1:-2]
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            body = b""
            while len(body) < int(headers["content-length"]):
                body += connection.recv(1 << 20)
            self.requests.append((headers, body))
            connection.sendall(f"HTTP/1.1 {status} Whatever\r\nContent-Length: 0\r\n\r\n".encode())

        return behaviour


def test_a_base64_result_arrives_signed_with_its_headers(world: World, serve):
    inbox = Inbox(serve)
    world.job(f"{inbox.url}?token=t", filename='odd "name" é.png')
    world.store.bucket.put(f"jobs/{EVENT_JOB}/result", b"\x89PNG bytes", "image/png")

    result = invoke("deliver-base64")

    headers, body = inbox.requests[0]
    payload = Base64Callback.model_validate_json(body)
    assert base64.b64decode(payload.result_image_base64) == b"\x89PNG bytes"
    assert (payload.status, payload.job_id, payload.result_mime_type) == ("completed", EVENT_JOB, "image/png")
    assert payload.filename == 'odd "name" é.png'
    assert headers["content-type"] == "application/json"
    assert headers["x-correlation-id"] == "correlation-1"
    assert headers["webhook-id"] == EVENT_JOB
    for key in KEYS:
        Webhook(key).verify(body, headers)
    assert result["status"] == "delivered"
    assert world.store.delivery(EVENT_JOB)[0].attempts == 1


def test_a_url_result_is_a_presigned_link_that_expires(world: World, serve):
    inbox = Inbox(serve)
    world.job(inbox.url, "url")

    invoke("deliver-url")

    payload = UrlCallback.model_validate_json(inbox.requests[0][1])
    assert payload.object_key == f"results/{EVENT_JOB}/photo_modified.png"
    assert payload.expires_in == 900
    assert f"/results/{EVENT_JOB}/photo_modified.png?" in payload.result_url
    assert "X-Amz-Expires=900" in payload.result_url


def test_a_batchs_counts_arrive_with_the_time_since_acceptance(world: World, serve):
    inbox = Inbox(serve)
    world.job(inbox.url, "batch")

    invoke("deliver-batch")

    payload = BatchCallback.model_validate_json(inbox.requests[0][1])
    assert payload.status == "completed_with_errors"
    assert (payload.total_files, payload.processed, payload.failed, payload.fallback_local) == (3, 2, 1, 1)
    assert payload.output_prefix == f"results/batch/{EVENT_JOB}/"
    assert 5 <= payload.duration_seconds < 30
    assert len(payload.errors) == 2


def test_a_batch_lists_twenty_errors_at_the_most(world: World, serve):
    inbox = Inbox(serve)
    world.job(inbox.url, "batch")
    outcome = event("deliver-batch")["outcome"]
    outcome["summary"]["errors"] = [f"{number}.png: E: e" for number in range(40)]

    invoke("deliver-batch", outcome=outcome)

    assert len(json.loads(inbox.requests[0][1])["errors"]) == 20


def test_an_error_becomes_a_failed_callback_in_the_words_of_the_sdk(world: World, serve):
    inbox = Inbox(serve)
    world.job(inbox.url)

    invoke("deliver-failed")

    assert json.loads(inbox.requests[0][1]) == {
        "status": "failed",
        "job_id": EVENT_JOB,
        "error": "BadRequestError: Your request was rejected by the safety system.",
    }


def test_a_result_that_is_gone_becomes_a_failed_callback(world: World, serve):
    inbox = Inbox(serve)
    world.job(inbox.url)

    invoke("deliver-base64")

    payload = json.loads(inbox.requests[0][1])
    assert payload["status"] == "failed"
    assert payload["error"].startswith("StorageRejectedError: NoSuchKey")


def test_what_was_decided_first_is_what_every_attempt_sends(world: World, serve):
    inbox = Inbox(serve, 503, 503, 200)
    world.job(inbox.url, "url")
    for retries in range(2):
        with pytest.raises(CallbackFailedError, match="answered 503"):
            invoke("deliver-url", retries=retries)
    delivery, _ = world.store.delivery(EVENT_JOB)
    assert (delivery.status, delivery.attempts) == ("pending", 2)
    assert delivery.last_error == "CallbackFailedError: the receiver answered 503"

    invoke("deliver-url", retries=2)

    bodies = [body for _, body in inbox.requests]
    assert len(bodies) == 3
    assert len(set(bodies)) == 1
    assert {headers["webhook-id"] for headers, _ in inbox.requests} == {EVENT_JOB}
    delivery, _ = world.store.delivery(EVENT_JOB)
    assert (delivery.status, delivery.attempts, delivery.last_error) == ("delivered", 3, None)


def test_a_job_cancelled_meanwhile_gets_that_and_not_its_result(world: World, serve):
    inbox = Inbox(serve)
    world.job(inbox.url, "url")
    world.store.decide(EVENT_JOB, b'{"status":"failed","job_id":"j","error":"cancelled"}')

    invoke("deliver-url")

    assert json.loads(inbox.requests[0][1])["error"] == "cancelled"


def test_a_delivered_job_is_not_sent_again_when_the_acknowledgement_was_lost(world: World, serve):
    inbox = Inbox(serve)
    world.job(inbox.url, "url")

    assert invoke("deliver-url")["status"] == "delivered"
    assert invoke("deliver-url", retries=1)["status"] == "delivered"

    assert len(inbox.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 404, 429, 500, 503])
def test_an_answer_outside_2xx_is_tried_again(world: World, serve, status: int):
    world.job(Inbox(serve, status).url, "url")

    with pytest.raises(CallbackFailedError, match=f"answered {status}"):
        invoke("deliver-url")


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_every_2xx_is_delivered(world: World, serve, status: int):
    world.job(Inbox(serve, status).url, "url")

    assert invoke("deliver-url")["status"] == "delivered"


def test_410_ends_at_once(world: World, serve):
    world.job(Inbox(serve, 410).url, "url")

    with pytest.raises(CallbackGoneError):
        invoke("deliver-url")


def test_a_url_that_policy_forbids_ends_at_once(world: World):
    world.job("http://169.254.169.254/latest/meta-data/", "url")

    with pytest.raises(
        CallbackRefusedError, match="the callback URL leads to an address that is not public: link-local"
    ):
        invoke("deliver-url")
    assert world.store.delivery(EVENT_JOB)[0].last_error.startswith("CallbackRefusedError: ")


def test_what_acceptance_took_is_judged_again_at_delivery(world: World, serve):
    inbox = Inbox(serve)
    world.job(inbox.url, "url")
    world.configure(CALLBACK_ALLOW_PRIVATE="false")

    with pytest.raises(CallbackRefusedError, match="loopback"):
        invoke("deliver-url")
    assert inbox.requests == []


def test_the_rewrite_leads_to_the_tunnel(world: World, serve):
    inbox = Inbox(serve)
    world.job("http://wxo-server:4321/hook", "url")
    world.configure(ENABLE_CALLBACK_REWRITE="true", LOCAL_TUNNEL_NETLOC=f"127.0.0.1:{inbox.receiver.port}")

    assert invoke("deliver-url")["status"] == "delivered"
    assert len(inbox.requests) == 1


@pytest.mark.parametrize("temper", ["hang", "drop", "drip"])
def test_a_receiver_that_gives_no_answer_is_a_failed_attempt_within_its_time(world: World, serve, temper: str):
    def behaviour(connection, _head):
        if temper == "drop":
            return
        for _ in range(40):
            if temper == "drip":
                connection.sendall(b"H" if not _ else b"x")
            time.sleep(0.05)

    world.job(serve(behaviour).url, "url")
    started = time.monotonic()

    with pytest.raises(CallbackFailedError):
        invoke("deliver-url")
    assert time.monotonic() - started < 2.5


def test_a_missing_signing_key_fails_the_attempt_and_sends_nothing(world: World, serve):
    inbox = Inbox(serve)
    world.job(inbox.url, "url")
    world.configure(SECRET_ARN=world.secret({}))

    with pytest.raises(ConfigurationError, match="CALLBACK_SIGNING_KEY"):
        invoke("deliver-url")
    assert inbox.requests == []


def test_an_unknown_job_is_an_error(world: World):
    with pytest.raises(StorageRejectedError, match="no record of job"):
        invoke("deliver-url")


def test_2xx_counts_even_if_it_cannot_be_recorded(world: World, serve, monkeypatch):
    inbox = Inbox(serve)
    world.job(inbox.url, "url")
    world.store.decide(EVENT_JOB, b"{}")
    put_object = storage.s3_client().put_object

    def refuse(**arguments):
        if arguments["Key"].endswith("delivery.json"):
            arguments["Bucket"] = "no-such-bucket"
        return put_object(**arguments)

    monkeypatch.setattr(storage.s3_client(), "put_object", refuse)

    assert invoke("deliver-url")["status"] == "delivered"
    assert len(inbox.requests) == 1


def test_one_attempt_is_one_log_line_and_metrics_without_secrets(world: World, serve, capsys, monkeypatch):
    log = io.StringIO()
    monkeypatch.setattr(app.logger.registered_handler, "stream", log)
    inbox = Inbox(serve, 503)
    world.job(f"{inbox.url}?token=hidden", "url")

    with pytest.raises(CallbackFailedError):
        invoke("deliver-url", retries=1)

    lines = [json.loads(line) for line in [*log.getvalue().splitlines(), *capsys.readouterr().out.splitlines()]]
    attempts = [line for line in lines if "attempt" in line]
    assert len(attempts) == 1
    assert attempts[0]["job_id"] == EVENT_JOB
    assert attempts[0]["correlation_id"] == "correlation-1"
    assert (attempts[0]["attempt"], attempts[0]["status"]) == (2, 503)
    assert attempts[0]["ms"] >= 0
    metrics = next(line for line in lines if "_aws" in line)
    assert metrics["CallbacksFailed"] == [1.0]
    assert "CallbackLatency" in metrics
    assert not any(secret in json.dumps(lines) for secret in ("hidden", "secret prompt", *KEYS))


def test_a_dead_letter_says_what_is_needed_to_bring_the_callback_back(world: World, serve):
    world.job(f"{Inbox(serve, 503).url}?token=hidden", "url")
    with pytest.raises(CallbackFailedError):
        invoke("deliver-url")

    assert invoke("dead-letter")["status"] == "dead_lettered"
    assert invoke("dead-letter")["status"] == "dead_lettered"  # tried again after a lost answer

    (letter,) = world.dead_letters()
    assert letter.pop("callback_url").endswith("/hook")
    assert letter == {
        "job_id": EVENT_JOB,
        "error": "CallbackFailedError: the receiver answered 503",
        "attempts": 1,
        "payload": {"bucket": "jobs", "key": f"jobs/{EVENT_JOB}/callback.json"},
        "correlation_id": "correlation-1",
    }
    assert world.store.is_decided(EVENT_JOB)


def test_a_delivery_that_is_given_up_before_its_payload_was_built_has_a_failed_one(world: World):
    world.job("https://example.com/")

    invoke("dead-letter")

    assert json.loads(world.store.decided(EVENT_JOB).body)["status"] == "failed"


def test_no_dead_letter_for_what_was_delivered(world: World, serve):
    world.job(Inbox(serve).url, "url")
    invoke("deliver-url")

    invoke("dead-letter")

    assert world.dead_letters() == []


@pytest.mark.parametrize("ending", ["aborted", "timed-out", "failed"])
def test_the_last_word_decides_a_failed_payload_and_has_it_delivered(world: World, serve, ending: str):
    inbox = Inbox(serve)
    world.job(inbox.url)

    invoke(f"last-word-{ending}")
    invoke(f"last-word-{ending}")  # EventBridge delivers at least once

    assert world.started() == {f"{EVENT_JOB}-last-word"}
    invoke("deliver-decided")
    payload = json.loads(inbox.requests[0][1])
    assert payload["status"] == "failed"
    assert payload["error"]


def test_the_last_word_of_a_decided_job_is_what_was_decided(world: World):
    world.job("https://example.com/")
    world.store.decide(EVENT_JOB, b'{"error":"cancelled"}')

    invoke("last-word-aborted")

    assert world.store.decided(EVENT_JOB).body == b'{"error":"cancelled"}'
    assert world.started() == {f"{EVENT_JOB}-last-word"}


@pytest.mark.parametrize("status", ["delivered", "dead_lettered"])
def test_no_last_word_where_nothing_is_left_to_say(world: World, status: str):
    world.job("https://example.com/")
    world.store.decide(EVENT_JOB, b"{}")
    world.store.put_delivery(EVENT_JOB, Delivery(status=status), if_etag=None)

    invoke("last-word-failed")

    assert world.started() == set()
    assert world.dead_letters() == []


def test_a_delivery_execution_that_fails_ends_in_a_dead_letter_and_no_circle(world: World):
    world.job("https://example.com/")

    invoke("last-word-delivery-failed")
    invoke("last-word-delivery-failed")

    assert world.started() == set()
    assert [letter["job_id"] for letter in world.dead_letters()] == [EVENT_JOB]


def test_the_end_of_an_earlier_round_leaves_a_redelivery_alone(world: World):
    world.job("https://example.com/")
    world.store.decide(EVENT_JOB, b"{}")
    world.store.put_delivery(EVENT_JOB, Delivery(round=1), if_etag=None)

    invoke("last-word-delivery-failed")
    invoke("last-word-failed")

    assert world.started() == set()
    assert world.dead_letters() == []


def test_the_last_word_on_an_unknown_job_or_a_foreign_execution_is_silence(world: World):
    invoke("last-word-aborted")
    foreign = event("last-word-aborted")
    foreign["detail"]["name"] = "somebody-elses"
    app.handler(foreign, CONTEXT)

    assert world.started() == set()


def test_a_redelivery_sends_the_same_bytes_again(world: World, serve):
    inbox = Inbox(serve, 503, 200)
    world.job(inbox.url, "url")
    with pytest.raises(CallbackFailedError):
        invoke("deliver-url")
    invoke("dead-letter")

    assert redeliver(world.store, world.executions, EVENT_JOB) is Redelivery.STARTED
    assert world.started() == {f"{EVENT_JOB}-redelivery-1"}
    invoke("deliver-decided")

    assert inbox.requests[0][1] == inbox.requests[1][1]
    delivery, _ = world.store.delivery(EVENT_JOB)
    assert (delivery.status, delivery.attempts, delivery.round) == ("delivered", 2, 1)


def test_a_delivered_callback_can_be_sent_once_more(world: World, serve):
    inbox = Inbox(serve)
    world.job(inbox.url, "url")
    invoke("deliver-url")

    assert redeliver(world.store, world.executions, EVENT_JOB) is Redelivery.STARTED
    invoke("deliver-decided")

    assert len(inbox.requests) == 2


def test_a_redelivery_under_way_is_not_started_twice(world: World):
    world.job("https://example.com/")
    world.store.decide(EVENT_JOB, b"{}")
    world.store.put_delivery(EVENT_JOB, Delivery(status="dead_lettered"), if_etag=None)

    assert redeliver(world.store, world.executions, EVENT_JOB) is Redelivery.STARTED
    assert redeliver(world.store, world.executions, EVENT_JOB) is Redelivery.UNDER_WAY
    assert world.started() == {f"{EVENT_JOB}-redelivery-1"}


def test_a_redelivery_whose_execution_was_never_started_is_started(world: World):
    world.job("https://example.com/")
    world.store.decide(EVENT_JOB, b"{}")
    world.store.put_delivery(EVENT_JOB, Delivery(round=3), if_etag=None)

    assert redeliver(world.store, world.executions, EVENT_JOB) is Redelivery.UNDER_WAY
    assert world.started() == {f"{EVENT_JOB}-redelivery-3"}


def test_a_first_delivery_under_way_is_left_alone_and_one_that_ended_unrecorded_begins_anew(world: World):
    world.job("https://example.com/")
    world.store.decide(EVENT_JOB, b"{}")
    world.executions.start(ExecutionName(EVENT_JOB), "base64")
    assert redeliver(world.store, world.executions, EVENT_JOB) is Redelivery.UNDER_WAY

    world.executions.client.stop_execution(executionArn=world.executions.arn(ExecutionName(EVENT_JOB)))
    assert redeliver(world.store, world.executions, EVENT_JOB) is Redelivery.STARTED


def test_a_job_that_ended_without_its_last_word_gets_it_by_redelivery(world: World, serve):
    inbox = Inbox(serve)
    world.job(inbox.url)
    name = ExecutionName(EVENT_JOB)
    world.executions.start(name, "base64")
    assert redeliver(world.store, world.executions, EVENT_JOB) is Redelivery.UNDECIDED

    world.executions.client.stop_execution(executionArn=world.executions.arn(name))
    assert redeliver(world.store, world.executions, EVENT_JOB) is Redelivery.STARTED
    invoke("deliver-decided")

    assert json.loads(inbox.requests[0][1])["status"] == "failed"


def test_an_unknown_job_is_not_redelivered(world: World):
    assert redeliver(world.store, world.executions, EVENT_JOB) is Redelivery.UNKNOWN_JOB
