"""Attempts to deliver: what is sent, what the answers mean, what is recorded and seen."""

import io
import json
import time

import pytest

from functions.callback import app
from imagejobs.errors import (
    CallbackFailedError,
    CallbackGoneError,
    CallbackRefusedError,
    ConfigurationError,
    StorageRejectedError,
)
from tests.integration.callback.world import JOB, KEYS, Inbox, World, invoke

# As in `imagejobs.observability`, outside of tests: a call may have nothing to count.
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics to publish")


def test_what_was_decided_first_is_what_every_attempt_sends(world: World, serve):
    inbox = Inbox(serve, 503, 503, 200)
    world.job(inbox.url, "url")
    for retries in range(2):
        with pytest.raises(CallbackFailedError, match="answered 503"):
            invoke("deliver-url", retries=retries)
    delivery = world.store.get_delivery(JOB)
    assert (delivery.status, delivery.attempts) == ("pending", 2)
    assert delivery.last_error == "CallbackFailedError: the receiver answered 503"

    invoke("deliver-url", retries=2)

    bodies = [body for _, body in inbox.requests]
    assert len(bodies) == 3
    assert len(set(bodies)) == 1
    assert {headers["webhook-id"] for headers, _ in inbox.requests} == {JOB}
    delivery = world.store.get_delivery(JOB)
    assert (delivery.status, delivery.attempts, delivery.last_error) == ("delivered", 3, None)


def test_a_job_cancelled_meanwhile_gets_that_and_not_its_result(world: World, serve):
    inbox = Inbox(serve)
    world.job(inbox.url, "url")
    world.store.decide(JOB, b'{"status":"failed","job_id":"j","error":"cancelled"}')

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
    assert world.store.get_delivery(JOB).last_error.startswith("CallbackRefusedError: ")


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
    world.store.decide(JOB, b"{}")
    put_object = world.clients.s3.put_object

    def refuse(**arguments):
        if arguments["Key"].endswith("delivery.json"):
            arguments["Bucket"] = "no-such-bucket"
        return put_object(**arguments)

    monkeypatch.setattr(world.clients.s3, "put_object", refuse)

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
    assert attempts[0]["job_id"] == JOB
    assert attempts[0]["correlation_id"] == "correlation-1"
    assert (attempts[0]["attempt"], attempts[0]["status"]) == (2, 503)
    assert attempts[0]["ms"] >= 0
    metrics = next(line for line in lines if "_aws" in line)
    assert metrics["CallbacksFailed"] == [1.0]
    assert "CallbackLatency" in metrics
    assert not any(secret in json.dumps(lines) for secret in ("hidden", "secret prompt", *KEYS))
