"""Jobs without a receiver, and answers that wait for their job (RFC 7240)."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.stub import Stubber

from functions.accept.http.router import build_api
from imagejobs.callbacks import Base64Callback
from imagejobs.executions import ExecutionName, Executions, MapRun
from imagejobs.job_store import JobStore
from imagejobs.progress import ProgressReader
from imagejobs.workflow import Progress
from tests.integration.accept.conftest import Api, event
from tests.support.context import Context
from tests.support.jobs import JOB_ID
from tests.support.map_runs import map_run

ROUTES = ["/process-image-async-b64", "/process-image-async", "/batch-process-images"]


def body_of(route: str, image_body: dict[str, str]) -> dict[str, str]:
    return {"prompt": "p"} if "batch" in route else image_body


def fail(store: JobStore, job_id: str) -> None:
    store.decide(job_id, Base64Callback(status="failed", job_id=job_id, error="x").to_json())


@pytest.mark.parametrize("route", ROUTES)
def test_respond_async_makes_the_callback_url_optional(
    api: Api, store: JobStore, image_body: dict[str, str], route: str
) -> None:
    answered = api("POST", route, body_of(route, image_body), prefer="respond-async", callbackUrl=" ")

    job_id = answered.body["job_id"]
    assert (answered.status, answered.body) == (202, {"accepted": True, "job_id": job_id})
    assert answered.headers["Location"] == f"https://api.example/v1/jobs/{job_id}"
    assert answered.headers["Preference-Applied"] == "respond-async"
    assert store.get_request(job_id).callback_url is None
    if "batch" not in route:  # moto has no map runs
        assert api("GET", f"/jobs/{job_id}").body["delivery"] == {"status": "not_requested", "attempts": 0}


def test_without_a_preference_that_is_honoured_a_callback_url_is_required(api: Api, image_body: dict[str, str]) -> None:
    for prefer in ("", "return=minimal", "wait=soon"):
        answered = api("POST", ROUTES[0], image_body, Prefer=prefer)
        (problem,) = answered.body["detail"]
        assert (answered.status, problem["loc"], problem["type"]) == (422, ["header", "callbackUrl"], "missing")
        assert "Prefer: respond-async" in problem["msg"]


def test_a_callback_url_that_is_given_is_used_and_checked_all_the_same(
    api: Api, store: JobStore, image_body: dict[str, str]
) -> None:
    job_id = api.post(ROUTES[0], image_body, Prefer="respond-async").body["job_id"]
    assert store.get_request(job_id).callback_url
    assert api("GET", f"/jobs/{job_id}").body["delivery"]["status"] == "pending"

    refused = api("POST", ROUTES[0], image_body, Prefer="respond-async", callbackUrl="https://127.0.0.1/")
    assert (refused.status, refused.body["detail"][0]["loc"]) == (422, ["header", "callbackUrl"])


def test_a_post_waits_for_a_job_that_ends(api: Api, store: JobStore, image_body: dict[str, str]) -> None:
    first = api("POST", ROUTES[0], image_body, Prefer="wait=0", Idempotency_Key="order-1")
    assert (first.status, first.headers["Preference-Applied"]) == (202, "wait=0")

    with ThreadPoolExecutor(1) as pool:
        sent = {"Prefer": "respond-async, wait=20", "Idempotency_Key": "order-1"}
        waiting = pool.submit(lambda: api("POST", ROUTES[0], image_body, **sent))
        time.sleep(0.5)
        assert not waiting.done()
        fail(store, first.body["job_id"])
        answered = waiting.result(timeout=15)

    # The same key is the same job, however long its posts wait.
    assert (answered.status, answered.body["job_id"]) == (200, first.body["job_id"])
    assert answered.body["status"] == "failed"
    assert answered.headers["Location"].endswith(first.body["job_id"])
    assert answered.headers["Preference-Applied"] == "wait=20"
    assert answered.headers["Cache-Control"] == "no-store"


def test_a_post_that_waited_in_vain_is_accepted(api: Api, image_body: dict[str, str]) -> None:
    began = time.monotonic()
    answered = api("POST", ROUTES[0], image_body, Prefer="wait=1, respond-async")

    assert time.monotonic() - began > 1
    assert (answered.status, answered.headers["Preference-Applied"]) == (202, "respond-async, wait=1")


def test_a_storage_that_fails_while_a_post_waits_changes_nothing_about_its_202(
    api: Api, image_body: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = api.resources.clients.s3
    head = client.head_object

    def failing(**arguments: Any) -> object:
        if arguments["Key"].endswith("callback.json"):
            raise client.exceptions.ClientError({"Error": {"Code": "SlowDown"}}, "HeadObject")
        return head(**arguments)

    monkeypatch.setattr(client, "head_object", failing)

    assert api("POST", ROUTES[0], image_body, Prefer="wait=5").status == 202


def test_a_get_waits_until_the_job_has_ended(api: Api, job_id: str, store: JobStore) -> None:
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(lambda: api("GET", f"/jobs/{job_id}", Prefer="wait=20"))
        time.sleep(0.5)
        assert not waiting.done()
        fail(store, job_id)
        answered = waiting.result(timeout=15)

    assert (answered.body["status"], answered.headers["Preference-Applied"]) == ("failed", "wait=20")
    # Nothing more will change: it is answered at once.
    assert api("GET", f"/jobs/{job_id}", Prefer="wait=20").body["status"] == "failed"


def test_a_get_waits_until_a_batch_has_made_progress(api: Api, store: JobStore) -> None:
    job_id = api.post(ROUTES[2], {"prompt": "p"}).body["job_id"]
    executions = api.resources.executions.client
    with map_run(executions, "RUNNING", total=9, running=9):
        first = api("GET", f"/jobs/{job_id}").body
    assert first["progress"] == {"total": 9, "succeeded": 0, "failed": 0, "running": 9, "pending": 0}

    with map_run(executions, "RUNNING", total=9, succeeded=1, running=8):
        answered = api("GET", f"/jobs/{job_id}", Prefer="wait=20").body

    assert answered["progress"]["succeeded"] == 1
    assert answered["as_of"] > first["as_of"]


def test_no_environment_tells_an_older_progress_than_another(api: Api, stack: dict[str, str], store: JobStore) -> None:
    job_id = api.post(ROUTES[2], {"prompt": "p"}).body["job_id"]
    other = Api(stack)
    with map_run(other.resources.executions.client, "RUNNING", total=9, succeeded=4, running=5):
        newer = other("GET", f"/jobs/{job_id}").body

    with Stubber(api.resources.executions.client) as asked:  # nothing may be asked of Step Functions but the status
        asked.add_response("describe_execution", describe(api, job_id))
        assert api("GET", f"/jobs/{job_id}").body["progress"] == newer["progress"]


def test_of_two_that_ask_at_once_both_tell_the_one_that_was_kept(store: JobStore) -> None:
    class Known:
        """Executions with one map run."""

        def __init__(self, succeeded: int, meanwhile: Callable[[], object] = lambda: None) -> None:
            self.progress = Progress(total=9, succeeded=succeeded, failed=0, running=1, pending=0)
            self.meanwhile = meanwhile

        def find_map_run(self, _: ExecutionName) -> MapRun:
            self.meanwhile()
            return MapRun("RUNNING", self.progress)

    quicker: Any = Known(7)
    slower: Any = Known(6, meanwhile=lambda: ProgressReader(store, quicker).read(JOB_ID))

    told = ProgressReader(store, slower).read(JOB_ID)

    assert told
    assert told.counts
    assert told.counts.succeeded == 7


def describe(api: Api, job_id: str) -> dict[str, object]:
    arn = api.resources.executions.arn(ExecutionName(job_id))
    machine = api.resources.settings.state_machine_arn
    return {"executionArn": arn, "stateMachineArn": machine, "status": "RUNNING", "startDate": datetime.now(UTC)}


def test_a_job_without_a_receiver_is_steered_like_any_other_but_not_redelivered(
    api: Api, store: JobStore, executions: Executions, image_body: dict[str, str]
) -> None:
    job_id = api("POST", ROUTES[1], image_body, Prefer="respond-async").body["job_id"]

    redelivery = api("POST", f"/jobs/{job_id}/redeliver")
    assert redelivery.status == 409
    assert "without a callbackUrl" in redelivery.body["detail"]
    assert api("DELETE", f"/jobs/{job_id}").status == 202
    job = api("GET", f"/jobs/{job_id}").body
    assert (job["status"], job["delivery"]["status"]) == ("cancelled", "not_requested")
    assert executions.find_status(ExecutionName(job_id)) == "ABORTED"


def test_a_retry_keeps_the_receiver_or_has_none_either(api: Api, store: JobStore) -> None:
    choices: list[dict[str, str]] = [{"Prefer": "respond-async"}, {"callbackUrl": "https://receiver.example/"}]
    for headers in choices:
        job_id = api("POST", ROUTES[2], {"prompt": "p"}, **headers).body["job_id"]
        store.decide(job_id, b'{"status": "completed_with_errors", "failed": 1}')

        retried = api("POST", f"/jobs/{job_id}/retry", Prefer="wait=0")

        assert (retried.status, retried.headers["Preference-Applied"]) == (202, "wait=0")
        assert store.get_request(retried.body["job_id"]).callback_url == headers.get("callbackUrl")


def test_an_owner_may_let_nobody_wait(stack: dict[str, str], image_body: dict[str, str]) -> None:
    api = Api(stack | {"MAX_WAIT_SECONDS": "0"})
    began = time.monotonic()

    answered = api("POST", ROUTES[0], image_body, Prefer="wait=20")

    assert time.monotonic() - began < 10
    assert (answered.status, answered.headers["Preference-Applied"]) == (202, "wait=0")


def test_preferences_may_come_in_several_lines(api: Api, image_body: dict[str, str]) -> None:
    sent = event("POST", ROUTES[0], image_body, {"Prefer": "wait=0"})
    sent["multiValueHeaders"]["Prefer"] = ["respond-async", "wait=0"]

    answer = build_api(api.resources).resolve(sent, Context())

    assert answer["multiValueHeaders"]["Preference-Applied"] == ["respond-async, wait=0"]
