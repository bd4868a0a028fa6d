"""POST /jobs/{job_id}/retry: a new batch of a finished one's failed images."""

from typing import Any

import pytest

from imagejobs.callbacks import BatchCallback
from imagejobs.executions import ExecutionName, Executions
from imagejobs.job_store import JobStore
from tests.integration.accept.conftest import CALLBACK_URL, Api
from tests.support.batches import put_manifest


@pytest.fixture
def batch(api: Api) -> str:
    """A batch under way."""
    body = {"prompt": "make it blue", "prefix": "cats", "max_files": 3, "output_prefix": "run-1"}
    return str(api.post("/batch-process-images", body).body["job_id"])


def end(store: JobStore, job_id: str, status: str, processed: int, failed: int, **more: Any) -> None:
    payload = BatchCallback(
        status=status,
        job_id=job_id,
        total_files=processed + failed,
        processed=processed,
        failed=failed,
        fallback_local=0,
        total_files_processed=processed,
        duration_seconds=1,
        output_bucket="output",
        output_prefix=f"results/batch/{job_id}/",
        errors=[],
        **more,
    )
    store.decide(job_id, payload.to_json())


def test_a_retry_is_a_new_job_that_names_the_old_one(
    api: Api, batch: str, store: JobStore, executions: Executions
) -> None:
    end(store, batch, "completed_with_errors", 1, 2)
    answered = api("POST", f"/jobs/{batch}/retry")

    assert answered.status == 202
    job_id = answered.body["job_id"]
    assert job_id != batch
    assert answered.headers["Location"] == f"https://api.example/v1/jobs/{job_id}"
    request, earlier = store.get_request(job_id), store.get_request(batch)
    assert (request.retry_of, request.operation, request.prompt) == (batch, "batch", earlier.prompt)
    assert request.callback_url == CALLBACK_URL
    # Where the results go is the caller's wish still; which images, the report says.
    assert (request.output_prefix, request.prefix, request.max_files) == ("run-1", None, None)
    assert executions.find_status(ExecutionName(job_id))
    end(store, job_id, "completed", 2, 0)
    assert api("GET", f"/jobs/{job_id}").body["retry_of"] == batch
    assert "retry_of" not in api("GET", f"/jobs/{batch}").body


def test_a_retry_may_have_a_callback_url_of_its_own(api: Api, batch: str, store: JobStore) -> None:
    end(store, batch, "completed_with_errors", 1, 2)
    url = "https://other.example/callback"
    job_id = api("POST", f"/jobs/{batch}/retry", callbackUrl=f" {url} ").body["job_id"]

    assert store.get_request(job_id).callback_url == url
    job_id = api("POST", f"/jobs/{batch}/retry", callbackUrl="").body["job_id"]
    assert store.get_request(job_id).callback_url == CALLBACK_URL


def test_a_callback_url_that_may_not_be_called_is_refused(api: Api, batch: str, store: JobStore) -> None:
    end(store, batch, "completed_with_errors", 1, 2)
    answered = api("POST", f"/jobs/{batch}/retry", callbackUrl="https://127.0.0.1/")

    assert (answered.status, answered.body["detail"][0]["loc"]) == (422, ["header", "callbackUrl"])


def test_a_repeated_idempotency_key_gives_the_same_retry_and_belongs_to_one_batch(
    api: Api, batch: str, store: JobStore
) -> None:
    end(store, batch, "completed_with_errors", 1, 2)
    other = api.post("/batch-process-images", {"prompt": "make it blue", "output_prefix": "run-1"}).body["job_id"]
    end(store, other, "completed_with_errors", 1, 2)
    job_ids = {api("POST", f"/jobs/{batch}/retry", Idempotency_Key="again").body["job_id"] for _ in range(3)}

    assert len(job_ids) == 1
    assert api("POST", f"/jobs/{other}/retry", Idempotency_Key="again").status == 409


def test_a_batch_that_timed_out_can_be_retried(api: Api, batch: str, store: JobStore) -> None:
    end(store, batch, "failed", 5, 3, error="States.Timeout")

    assert api("POST", f"/jobs/{batch}/retry").status == 202


def test_a_batch_that_was_cancelled_while_nobody_could_count_its_edits_can_be_retried(
    api: Api, batch: str, store: JobStore
) -> None:
    put_manifest(store, batch, ["a.png"])
    end(store, batch, "failed", 0, 0, error="cancelled")

    assert api("POST", f"/jobs/{batch}/retry").status == 202


def test_a_batch_that_is_still_running_cannot_be_retried(api: Api, batch: str) -> None:
    answered = api("POST", f"/jobs/{batch}/retry")

    assert (answered.status, "no result yet" in answered.body["detail"]) == (409, True)


@pytest.mark.parametrize(
    ("status", "more", "told"),
    [("completed", {}, "nothing to retry"), ("failed", {"error": "NoSuchBucket"}, "post it again")],
)
def test_a_batch_without_failed_images_cannot_be_retried(
    api: Api, batch: str, store: JobStore, status: str, more: dict[str, str], told: str
) -> None:
    end(store, batch, status, 0, 0, **more)
    answered = api("POST", f"/jobs/{batch}/retry")

    assert (answered.status, told in answered.body["detail"]) == (409, True)


def test_a_single_image_cannot_be_retried(api: Api, job_id: str) -> None:
    answered = api("POST", f"/jobs/{job_id}/retry")

    assert (answered.status, "only a batch" in answered.body["detail"]) == (409, True)


def test_an_unknown_job_cannot_be_retried(api: Api) -> None:
    assert api("POST", "/jobs/00000000-0000-4000-8000-000000000000/retry").status == 404
