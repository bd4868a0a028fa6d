"""Attempts to deliver: what is sent, what the answers mean, what is recorded and seen."""

import io
import json
import time
from typing import Any

import pytest

from functions.callback import app
from imagejobs.errors import (
    CallbackFailedError,
    CallbackGoneError,
    CallbackRefusedError,
    ConfigurationError,
    StorageRejectedError,
)
from imagejobs.job_store import Delivery
from standins.receiver import Receiver
from tests.integration.callback.world import JOB, KEYS, World, invoke
from tests.support.jobs import PROMPT
from tests.support.sockets import Behaviour, Serve, dripping, drop, hang
from tests.support.waiting import PATIENCE

# As in `imagejobs.observability`, outside of tests: a call may have nothing to count.
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics to publish")


def test_what_was_decided_first_is_what_every_attempt_sends(world: World, receiver: Receiver) -> None:
    receiver.script("/callback", 503, 503, 200)
    world.job(receiver.url(), "url")
    for _ in range(2):
        with pytest.raises(CallbackFailedError, match="answered 503"):
            invoke("deliver-url")
    delivery = world.store.get_delivery(JOB)
    assert (delivery.status, delivery.attempts) == ("pending", 2)
    assert delivery.last_error == "CallbackFailedError: the receiver answered 503"

    invoke("deliver-url")

    bodies = [one.body for one in receiver.received()]
    assert len(bodies) == 3
    assert len(set(bodies)) == 1
    assert {one.headers["webhook-id"] for one in receiver.received()} == {JOB}
    delivery = world.store.get_delivery(JOB)
    assert (delivery.status, delivery.attempts, delivery.last_error) == ("delivered", 3, None)


def test_a_job_cancelled_meanwhile_gets_that_and_not_its_result(world: World, receiver: Receiver) -> None:
    world.job(receiver.url(), "url")
    world.store.decide(JOB, b'{"status":"failed","job_id":"j","error":"cancelled"}')

    invoke("deliver-url")

    assert receiver.received()[0].json()["error"] == "cancelled"


def test_a_delivered_job_is_not_sent_again_when_the_acknowledgement_was_lost(world: World, receiver: Receiver) -> None:
    world.job(receiver.url(), "url")

    assert invoke("deliver-url")["status"] == "delivered"
    assert invoke("deliver-url")["status"] == "delivered"

    assert len(receiver.received()) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 404, 429, 500, 503])
def test_an_answer_outside_2xx_is_tried_again(world: World, receiver: Receiver, status: int) -> None:
    receiver.script("/callback", status)
    world.job(receiver.url(), "url")

    with pytest.raises(CallbackFailedError, match=f"answered {status}"):
        invoke("deliver-url")


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_every_2xx_is_delivered(world: World, receiver: Receiver, status: int) -> None:
    receiver.script("/callback", status)
    world.job(receiver.url(), "url")

    assert invoke("deliver-url")["status"] == "delivered"


def test_410_ends_at_once(world: World, receiver: Receiver) -> None:
    receiver.script("/callback", 410)
    world.job(receiver.url(), "url")

    with pytest.raises(CallbackGoneError):
        invoke("deliver-url")


def test_a_url_that_policy_forbids_ends_at_once(world: World) -> None:
    world.job("http://169.254.169.254/latest/meta-data/", "url")

    with pytest.raises(
        CallbackRefusedError, match="the callback URL leads to an address that is not public: link-local"
    ):
        invoke("deliver-url")
    assert (world.store.get_delivery(JOB).last_error or "").startswith("CallbackRefusedError: ")


def test_what_acceptance_took_is_judged_again_at_delivery(world: World, receiver: Receiver) -> None:
    world.job(receiver.url(), "url")
    world.configure(CALLBACK_ALLOW_PRIVATE="false")

    with pytest.raises(CallbackRefusedError, match="loopback"):
        invoke("deliver-url")
    assert receiver.received() == []


def test_the_rewrite_leads_to_the_tunnel(world: World, receiver: Receiver) -> None:
    world.job("http://wxo-server:4321/hook", "url")
    world.configure(ENABLE_CALLBACK_REWRITE="true", LOCAL_TUNNEL_NETLOC=receiver.base_url.removeprefix("http://"))

    assert invoke("deliver-url")["status"] == "delivered"
    assert len(receiver.received()) == 1


@pytest.mark.parametrize("behaviour", [hang, drop, dripping(b"H")], ids=["hang", "drop", "drip"])
def test_a_receiver_that_gives_no_answer_is_a_failed_attempt_within_its_time(
    world: World, serve: Serve, behaviour: Behaviour
) -> None:
    world.job(serve(behaviour).url, "url")
    world.configure(CALLBACK_TIMEOUT_SECONDS="0.5")
    started = time.monotonic()

    with pytest.raises(CallbackFailedError):
        invoke("deliver-url")
    assert time.monotonic() - started < PATIENCE / 2


def test_a_missing_signing_key_fails_the_attempt_and_sends_nothing(world: World, receiver: Receiver) -> None:
    world.job(receiver.url(), "url")
    world.configure(SIGNING_SECRET_ARN=world.secret({}))

    with pytest.raises(ConfigurationError, match="CALLBACK_SIGNING_KEY"):
        invoke("deliver-url")
    assert receiver.received() == []


def test_an_unknown_job_is_an_error(world: World) -> None:
    with pytest.raises(StorageRejectedError, match="no record of job"):
        invoke("deliver-url")


def test_2xx_counts_even_if_it_cannot_be_recorded(
    world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.job(receiver.url(), "url")
    world.store.decide(JOB, b"{}")
    put_object = world.clients.s3.put_object

    def refuse(**arguments: Any) -> Any:
        if arguments["Key"].endswith("delivery.json") and receiver.received():
            arguments["Bucket"] = "no-such-bucket"
        return put_object(**arguments)

    monkeypatch.setattr(world.clients.s3, "put_object", refuse)

    assert invoke("deliver-url")["status"] == "delivered"
    assert len(receiver.received()) == 1


def test_one_attempt_is_one_log_line_and_metrics_without_secrets(
    world: World, receiver: Receiver, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    log = io.StringIO()
    monkeypatch.setattr(app.logger.registered_handler, "stream", log)
    receiver.script("/callback", 503)
    world.job(f"{receiver.url()}?token=hidden", "url")
    world.store.decide(JOB, b"{}")
    world.store.put_delivery(JOB, Delivery(attempts=1))

    with pytest.raises(CallbackFailedError):
        invoke("deliver-url")

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
    assert not any(secret in json.dumps(lines) for secret in ("hidden", PROMPT, *KEYS))
