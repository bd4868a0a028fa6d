"""Two executions that would post one callback: one that was stopped, whose worker goes on, and its last word."""

import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from functions.accept.jobs.steer import DeliveryUnderWayError, redeliver
from functions.callback import app
from functions.callback.delivery import LEASE_MARGIN_SECONDS, DeliveryService
from functions.callback.settings import CallbackSettings
from imagejobs.errors import CallbackFailedError, CallbackUnderWayError
from imagejobs.executions import ExecutionName
from imagejobs.job_store import Delivery, JobStore, Posting
from imagejobs.resources import Clients, Resources
from imagejobs.storage import Bucket
from imagejobs.workflow import Outcome
from standins.receiver import Receiver
from tests.integration.callback.world import JOB, KEYS, World, invoke
from tests.integration.conftest import REGION, Account
from tests.support.context import Context
from tests.support.jobs import job_request
from tests.support.sockets import Serve, read_body
from tests.support.waiting import PATIENCE

# As in `imagejobs.observability`, outside of tests: a call may have nothing to count.
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics to publish")


@contextmanager
def posting(world: World, serve: Serve, status: str) -> Iterator[Future[dict[str, Any]]]:
    """The job's own execution posts its callback, and has its answer at the end; only its first post has one."""
    asked, end = threading.Event(), threading.Event()

    def slow(connection: socket.socket, head: bytes) -> None:
        read_body(connection, head)
        asked.set()
        assert end.wait(PATIENCE)
        connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())

    def unexpected(_connection: socket.socket, _head: bytes) -> None:
        raise ConnectionError("a second post")

    world.job(serve(slow, unexpected).url, "url")
    with ThreadPoolExecutor(1) as pool:
        attempt = pool.submit(invoke, "deliver-url")
        try:
            assert asked.wait(PATIENCE)
            yield attempt
        finally:
            end.set()


def lease(seconds: float, owner: str = JOB) -> Delivery:
    """A delivery whose worker died while it posted."""
    return Delivery(posting=Posting(owner=owner, until=datetime.now(UTC) + timedelta(seconds=seconds)))


def test_while_one_execution_posts_no_other_posts_or_gives_up(world: World, serve: Serve) -> None:
    with posting(world, serve, "200 OK") as attempt:
        world.executions.start(ExecutionName(JOB), "url")
        world.executions.stop(ExecutionName(JOB), error="", cause="")
        for name, changes in (
            ("deliver-decided", {}),
            ("give-up", {"execution": f"{JOB}-last-word"}),
            ("last-word-delivery-failed", {}),
        ):
            with pytest.raises(CallbackUnderWayError, match="another execution posts"):
                invoke(name, **changes)
        assert app.handler({"action": "sweep", "grace_seconds": 0}, Context()) == {
            "looked_at": 1,
            "missed": 0,
            "failed": 0,
        }
        with pytest.raises(DeliveryUnderWayError):
            redeliver(JOB, world.store, world.executions)

    assert attempt.result()["status"] == "delivered"
    # Whoever waited finds it delivered.
    assert invoke("deliver-decided")["status"] == "delivered"
    assert invoke("give-up", execution=f"{JOB}-last-word") == {"letter": None}
    invoke("last-word-delivery-failed")
    delivery = world.store.get_delivery(JOB)
    assert (delivery.status, delivery.attempts, delivery.posting) == ("delivered", 1, None)
    assert world.dead_letters() == []


def test_after_a_failed_attempt_whoever_waited_makes_the_next_one(world: World, serve: Serve) -> None:
    with posting(world, serve, "503 Service Unavailable") as attempt, pytest.raises(CallbackUnderWayError):
        invoke("deliver-decided")
    with pytest.raises(CallbackFailedError, match="503"):
        attempt.result()
    assert world.store.get_delivery(JOB).posting is None

    with pytest.raises(CallbackFailedError, match=r"broke off|closed by the server"):
        invoke("deliver-decided")  # the receiver breaks a second post off
    assert world.store.get_delivery(JOB).attempts == 2


def test_an_execution_whose_worker_died_goes_on_at_once_and_another_when_the_lease_is_over(
    world: World, receiver: Receiver
) -> None:
    world.job(receiver.url(), "url")
    world.store.decide(JOB, b"{}")
    world.store.put_delivery(JOB, lease(60))
    with pytest.raises(CallbackUnderWayError):
        invoke("deliver-decided")
    assert receiver.received() == []

    assert invoke("deliver-url")["status"] == "delivered"

    etag = world.store.get_delivery(JOB).etag
    world.store.put_delivery(JOB, lease(-1).model_copy(update={"etag": etag}))
    assert invoke("deliver-decided")["status"] == "delivered"


def test_an_execution_gives_up_over_its_own_dead_worker(world: World) -> None:
    world.job("https://example.com/")
    world.store.decide(JOB, b"{}")
    world.store.put_delivery(JOB, lease(60))

    world.give_up()

    assert [letter["job_id"] for letter in world.dead_letters()] == [JOB]
    assert world.store.get_delivery(JOB).posting is None


def test_a_lease_lasts_longer_than_an_attempt_and_its_record(
    world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.configure(CALLBACK_TIMEOUT_SECONDS="30")
    world.job(receiver.url(), "url")
    monkeypatch.setattr(type(world.store), "update_delivery", lambda _store, _job, _change: Delivery())  # it dies
    before = datetime.now(UTC)

    invoke("deliver-url")

    kept = world.store.get_delivery(JOB).posting
    assert kept is not None
    assert kept.owner == JOB
    assert timedelta(seconds=30 + LEASE_MARGIN_SECONDS) <= kept.until - before < timedelta(seconds=PATIENCE)


def test_executions_of_an_earlier_definition_say_no_name_and_go_on(world: World, receiver: Receiver) -> None:
    receiver.script("/callback", 503)
    world.job(receiver.url(), "url")
    world.store.decide(JOB, b"{}")
    world.store.put_delivery(JOB, lease(60, owner=""))
    with pytest.raises(CallbackUnderWayError):
        invoke("deliver-decided")

    with pytest.raises(CallbackFailedError):
        invoke("deliver-url", execution="")  # its worker died
    with pytest.raises(CallbackFailedError):
        invoke("deliver-url", execution="")


def test_of_many_executions_at_once_one_posts(account: Account, receiver: Receiver) -> None:
    clients = Clients(
        endpoint_url=account.url,
        region_name=REGION,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
    clients.s3.create_bucket(Bucket="jobs")
    secret = account.client("secretsmanager").create_secret(
        Name="signing", SecretString=json.dumps({"CALLBACK_SIGNING_KEY": KEYS[0]})
    )
    settings = CallbackSettings.from_environment(
        {
            "JOBS_BUCKET": "jobs",
            "SIGNING_SECRET_ARN": secret["ARN"],
            "CALLBACK_ALLOW_HTTP": "true",
            "CALLBACK_ALLOW_PRIVATE": "true",
        }
    )
    store = JobStore(Bucket(clients.s3, "jobs"))
    store.create(job_request("url", job_id=JOB, callback_url=receiver.url()))
    store.decide(JOB, b"{}")
    count = 12
    service = DeliveryService(Resources(settings, clients), app.logger, app.metrics)
    together = threading.Barrier(count)

    def deliver(number: int) -> str:
        together.wait(PATIENCE)
        try:
            return service.deliver(JOB, Outcome(), f"execution-{number}").status
        except CallbackUnderWayError:
            return "under way"

    with ThreadPoolExecutor(count) as pool:
        outcomes = list(pool.map(deliver, range(count)))
    app.metrics.clear_metrics()

    assert len(receiver.received()) == 1
    assert set(outcomes) <= {"delivered", "under way"}
    assert (store.get_delivery(JOB).status, store.get_delivery(JOB).attempts) == ("delivered", 1)
