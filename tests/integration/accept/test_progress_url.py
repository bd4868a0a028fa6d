"""The header progressUrl: what posts the progress is started beside the job, for jobs that ask for it alone."""

import json
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from functions.accept.jobs import submit
from imagejobs.executions import ExecutionName, Executions
from imagejobs.job_store import JobStore
from tests.integration.accept.conftest import CALLBACK_URL, Api

PROGRESS_URL = "https://receiver.example/progress?token=s3cret"
ROUTES = ["/process-image-async-b64", "/process-image-async", "/batch-process-images"]


def body_of(route: str, image_body: dict[str, str]) -> dict[str, str]:
    return {"prompt": "p"} if "batch" in route else image_body


def started(executions: Executions, job_id: str) -> dict[str, Any] | None:
    """The input of what posts a job's progress."""
    found = executions.find(ExecutionName(job_id, "progress"))
    return json.loads(found["input"]) if found else None


@pytest.mark.parametrize("route", ROUTES)
def test_a_job_that_asks_has_a_second_execution_which_does_not_know_the_url(
    api: Api, image_body: dict[str, str], store: JobStore, executions: Executions, route: str
) -> None:
    asks = api.post(route, body_of(route, image_body), PROGRESSURL=PROGRESS_URL).body["job_id"]
    asks_not = api.post(route, body_of(route, image_body), progressUrl=" ").body["job_id"]

    assert started(executions, asks) == {"job_id": asks, "operation": "report_progress"}
    assert (store.get_request(asks).progress_url, store.get_request(asks).callback_url) == (PROGRESS_URL, CALLBACK_URL)
    assert started(executions, asks_not) is None


def test_a_url_that_may_not_be_called_is_refused(api: Api, image_body: dict[str, str], store: JobStore) -> None:
    for url in ("https://127.0.0.1/", "http://receiver.example/", "https://a.example/" + "x" * 2048):
        answered = api.post(ROUTES[0], image_body, progressUrl=url)
        assert (answered.status, answered.body["detail"][0]["loc"]) == (422, ["header", "progressUrl"])

    assert list(store.bucket.keys("jobs/")) == []


def test_the_job_is_accepted_when_its_progress_cannot_be_started(
    api: Api, image_body: dict[str, str], executions: Executions, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = api.resources.executions.client
    start = client.start_execution

    def failing(**arguments: Any) -> object:
        if arguments["name"].endswith("-progress"):
            raise EndpointConnectionError(endpoint_url="https://states.example/")
        return start(**arguments)

    monkeypatch.setattr(client, "start_execution", failing)

    answered = api.post(ROUTES[0], image_body, progressUrl=PROGRESS_URL)

    assert answered.status == 202
    assert executions.find_status(ExecutionName(answered.body["job_id"])) == "RUNNING"


def test_a_post_after_a_crash_starts_the_progress_of_a_job_that_has_not_ended(
    api: Api, image_body: dict[str, str], store: JobStore, executions: Executions, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    def post() -> str:
        return str(api.post(ROUTES[0], image_body, Idempotency_Key="order-1", progressUrl=PROGRESS_URL).body["job_id"])

    with monkeypatch.context() as broken:
        broken.setattr(submit, "_start_reports", crash)
        with pytest.raises(KeyboardInterrupt):
            post()
    (job_id,) = {key.split("/")[1] for key, _ in store.bucket.keys("jobs/")}

    store.decide(job_id, b"{}")
    assert started(executions, post()) is None
    store.bucket.delete_all([store.key(job_id, "callback.json")])
    assert started(executions, post())


def test_the_same_key_with_another_progress_url_is_another_request(api: Api, image_body: dict[str, str]) -> None:
    first = api.post(ROUTES[0], image_body, Idempotency_Key="order-1", progressUrl=PROGRESS_URL)
    same = api.post(ROUTES[0], image_body, Idempotency_Key="order-1", progressUrl=PROGRESS_URL)
    other = api.post(ROUTES[0], image_body, Idempotency_Key="order-1")

    assert first.body == same.body
    assert other.status == 409


def test_a_retry_tells_its_progress_where_it_asks_for_that_itself(
    api: Api, store: JobStore, executions: Executions
) -> None:
    batch = api.post(ROUTES[2], {"prompt": "p"}, progressUrl=PROGRESS_URL).body["job_id"]
    store.decide(batch, b'{"status": "completed_with_errors", "failed": 1}')

    quiet = api("POST", f"/jobs/{batch}/retry").body["job_id"]
    asks = api("POST", f"/jobs/{batch}/retry", progressUrl=PROGRESS_URL).body["job_id"]

    assert started(executions, quiet) is None
    assert started(executions, asks)
