"""A job's progress, posted to its progressUrl: what is told and when, and that nothing depends on it."""

import io
import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from standardwebhooks import Webhook

from functions.callback import app
from functions.callback.progress import MAX_FAILURES, wait_seconds
from imagejobs.callbacks import batch_callback
from imagejobs.executions import ExecutionName
from imagejobs.settings import StorageSettings
from imagejobs.workflow import BatchCounts
from standins.receiver import Received, Receiver, Step
from tests.integration.callback.world import JOB, KEYS, World, event, invoke
from tests.support.context import Context
from tests.support.map_runs import map_run

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics to publish")

PATH = "/progress"


def asked(world: World, receiver: Receiver, operation: Any = "base64", **fields: Any) -> dict[str, Any]:
    """A job that asks for its progress; gives what its execution begins with."""
    world.job(None, operation, progress_url=receiver.url(PATH), **fields)
    return {"job_id": JOB, "operation": "report_progress"}


def look(reports: dict[str, Any]) -> dict[str, Any]:
    """What the state ReportProgress does."""
    return app.handler({"action": "report_progress", "reports": reports}, Context()) or {}


def told(receiver: Receiver) -> list[Received]:
    return receiver.received(PATH)


def types(receiver: Receiver) -> list[str]:
    return [one.json()["type"] for one in told(receiver)]


def test_a_single_job_tells_its_start_and_its_end_signed_and_each_with_an_id_of_its_own(
    world: World, receiver: Receiver
) -> None:
    reports = look(asked(world, receiver))
    assert look(reports) == reports | {"wait_seconds": 10}  # nothing is new
    world.store.decide(JOB, b'{"status":"failed","job_id":"j","error":"cancelled"}')
    assert look(reports)["wait_seconds"] is None

    accepted = world.store.get_request(JOB).created_at
    started, finished = told(receiver)
    assert started.json() == {
        "type": "job.started",
        "job_id": JOB,
        "status": "running",
        "at": accepted.isoformat().replace("+00:00", "Z"),
    }
    assert (finished.json()["type"], finished.json()["status"]) == ("job.finished", "cancelled")
    assert "progress" not in finished.json()
    for one in (started, finished):
        Webhook(KEYS[0]).verify(one.body, one.headers)
    assert len({started.headers["webhook-id"], finished.headers["webhook-id"], JOB}) == 3
    assert world.store.get_delivery(JOB).attempts == 0


def test_a_batch_tells_counts_that_are_new_and_its_last_ones_at_its_end(world: World, receiver: Receiver) -> None:
    reports = look(asked(world, receiver, "batch"))
    for succeeded in (1, 1, 3):
        with map_run(world.clients.step_functions, "RUNNING", total=4, succeeded=succeeded, running=4 - succeeded):
            reports = look(reports)
        world.store.bucket.delete_all([world.store.key(JOB, "progress.json")])  # it is old
    made = BatchCounts(total_files=4, processed=3, failed=1, fallback_local=0)
    payload = batch_callback(
        world.store.get_request(JOB), made, StorageSettings(), status="completed_with_errors", errors=["x"]
    )
    world.store.decide(JOB, payload)
    assert look(reports)["wait_seconds"] is None

    assert types(receiver) == ["job.started", "job.progress", "job.progress", "job.finished"]
    _, first, second, last = (one.json() for one in told(receiver))
    assert first["progress"] == {"total": 4, "succeeded": 1, "failed": 0, "running": 3, "pending": 0}
    assert (second["status"], second["progress"]["succeeded"]) == ("running", 3)
    assert (last["status"], last["progress"]["failed"], last["progress"]["running"]) == ("completed_with_errors", 1, 0)
    assert len({one.headers["webhook-id"] for one in told(receiver)}) == 4


def test_a_receiver_that_fails_is_told_what_is_true_at_the_next_look(world: World, receiver: Receiver) -> None:
    receiver.script(PATH, 503, Step(drop=True), 200)
    reports = asked(world, receiver)
    for failures in (1, 2, 0):
        reports = look(reports)
        assert (reports["failures"], reports["wait_seconds"]) == (failures, 10)

    assert types(receiver) == ["job.started"] * 3
    assert len({one.headers["webhook-id"] for one in told(receiver)}) == 1  # a repetition can be told


def test_a_receiver_that_takes_nothing_is_left_alone(world: World, receiver: Receiver) -> None:
    receiver.script(PATH, 503)
    reports = asked(world, receiver)
    for _ in range(MAX_FAILURES):
        assert reports.get("wait_seconds", 10) == 10
        reports = look(reports)
    assert reports["wait_seconds"] is None

    receiver.script(PATH, 410)
    assert look({"job_id": JOB})["wait_seconds"] is None

    world.configure(CALLBACK_ALLOWED_HOSTS="another.example")
    posts = len(told(receiver))
    assert look({"job_id": JOB})["wait_seconds"] is None
    assert len(told(receiver)) == posts


def test_an_erased_job_ends_it(world: World, receiver: Receiver) -> None:
    reports = look(asked(world, receiver))
    world.store.bucket.delete_all([world.store.key(JOB, "request.json")])

    assert look(reports)["wait_seconds"] is None
    assert types(receiver) == ["job.started"]


def test_where_it_posts_is_logged_by_host_alone(
    world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = io.StringIO()
    monkeypatch.setattr(app.logger.registered_handler, "stream", log)
    look(asked(world, receiver))

    (line,) = [json.loads(one) for one in log.getvalue().splitlines()]
    assert line["message"] == "progress posted"
    assert (line["receiver"], line["job_id"], line["status"]) == (receiver.base_url, JOB, 200)
    assert PATH not in json.dumps(line)


def test_no_last_word_follows_when_its_execution_fails(world: World) -> None:
    world.job("https://example.com/")
    failed = event("last-word-failed")
    failed["detail"]["name"] = f"{JOB}-progress"
    app.handler(failed, Context())
    world.executions.start(ExecutionName(JOB, "progress"), "report_progress")
    world.executions.stop(ExecutionName(JOB, "progress"), error="", cause="")

    assert invoke("sweep", grace_seconds=0)["looked_at"] == 0
    assert not world.store.has_payload(JOB)
    assert world.started() == {f"{JOB}-progress"}


def test_the_history_of_the_longest_job_stays_within_what_step_functions_keeps() -> None:
    """An execution lasts a year and has 25,000 events at the most; a look has 9: of a Task 5, of Choice and Wait 2."""
    looks = [0.0]
    while looks[-1] < timedelta(days=365).total_seconds():
        looks.append(looks[-1] + wait_seconds(looks[-1], 5))

    assert 9 * len(looks) < 25_000
    assert min(later - earlier for earlier, later in pairwise(looks)) == 5


def test_a_job_that_runs_for_long_is_looked_at_less_often(world: World, receiver: Receiver) -> None:
    hours_ago = datetime.now(UTC) - timedelta(hours=2)
    world.store.create(
        world.store.get_request(world.job(None)).model_copy(
            update={"job_id": f"{JOB[:-1]}e", "created_at": hours_ago, "progress_url": receiver.url(PATH)}
        )
    )

    assert look({"job_id": f"{JOB[:-1]}e"})["wait_seconds"] == pytest.approx(72, abs=2)
