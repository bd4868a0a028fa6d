"""Reading jobs."""

from datetime import UTC, datetime, timedelta

import pytest
from botocore.stub import Stubber

from imagejobs.callbacks import Base64Callback, BatchCallback, Callback, UrlCallback
from imagejobs.job_store import Delivery, JobStore, Waiting
from tests.integration.accept.conftest import Api

UNKNOWN = "00000000-0000-4000-8000-000000000000"


def test_job_under_way(api: Api, job_id: str) -> None:
    answered = api("GET", f"/jobs/{job_id}")

    assert answered.status == 200
    created_at = datetime.fromisoformat(answered.body.pop("created_at"))
    as_of = datetime.fromisoformat(answered.body.pop("as_of"))
    assert created_at < as_of <= datetime.now(UTC)
    assert answered.body == {
        "job_id": job_id,
        "operation": "base64",
        "status": "running",
        "delivery": {"status": "pending", "attempts": 0},
    }
    assert answered.headers["Retry-After"] == "2"


def test_a_single_image_that_waits_says_so_until_its_turn(api: Api, job_id: str, store: JobStore) -> None:
    now, since = datetime.now(UTC), datetime(2026, 11, 25, 12, 30, tzinfo=UTC)
    store.put_waiting(job_id, Waiting(since=since, until=now + timedelta(minutes=1)))

    job = api("GET", f"/jobs/{job_id}").body

    assert job["status"] == "running"
    assert job["waiting"] == {"reason": "waiting for OpenAI's rate limit", "since": "2026-11-25T12:30:00Z"}
    store.put_waiting(job_id, Waiting(since=since, until=now - timedelta(seconds=1)))
    assert "waiting" not in api("GET", f"/jobs/{job_id}").body


def test_recorded_but_not_started_is_queued(api: Api, job_id: str, store: JobStore) -> None:
    other = store.get_request(job_id).model_copy(update={"job_id": UNKNOWN})
    store.create(other)

    assert api("GET", f"/jobs/{UNKNOWN}").body["status"] == "queued"


def test_base64_result_is_a_fresh_link(api: Api, job_id: str, store: JobStore) -> None:
    payload = Base64Callback(
        status="completed",
        job_id=job_id,
        filename="cat.png",
        result_image_base64="aaaa",
        result_mime_type="image/png",
    )
    store.decide(job_id, payload.to_json())
    store.bucket.put(store.key(job_id, "result"), b"edited", "image/png")
    job = api("GET", f"/jobs/{job_id}").body

    assert job["status"] == "completed"
    assert "finished_at" in job
    assert job["result"].pop("result_url").startswith("https://")
    assert job["result"] == {
        "status": "completed",
        "job_id": job_id,
        "filename": "cat.png",
        "result_mime_type": "image/png",
        "expires_in": 900,
    }


def test_a_large_payload_is_not_read(api: Api, job_id: str, store: JobStore) -> None:
    payload = Base64Callback(
        status="completed",
        job_id=job_id,
        filename="cat.png",
        result_image_base64="a" * 200_000,
        result_mime_type="image/png",
    )
    store.decide(job_id, payload.to_json())
    store.bucket.put(store.key(job_id, "result"), b"edited", "image/png")
    asked: list[str] = []
    client = api.resources.jobs.bucket.client
    client.meta.events.register(
        "before-call.s3", lambda model, params, **_: asked.append(f"{model.name} {params['url_path']}")
    )
    job = api("GET", f"/jobs/{job_id}").body

    assert not any("GetObject" in one and "callback.json" in one for one in asked)
    assert job["status"] == "completed"
    assert (job["result"]["filename"], job["result"]["result_mime_type"]) == ("cat.png", "image/png")
    assert "result_url" in job["result"]


def test_url_result_is_linked_anew(api: Api, image_body: dict[str, str], store: JobStore) -> None:
    job_id = api.post("/process-image-async", image_body).body["job_id"]
    expired = UrlCallback(
        status="completed",
        job_id=job_id,
        object_key="results/x.png",
        result_url="https://old.example",
        expires_in=1,
    )
    store.decide(job_id, expired.to_json())
    result = api("GET", f"/jobs/{job_id}").body["result"]

    assert "results/x.png" in result["result_url"]
    assert result["expires_in"] == 900


@pytest.mark.parametrize("operation", ["base64", "url"])
def test_a_note_on_the_edit_is_told(
    api: Api, job_id: str, image_body: dict[str, str], store: JobStore, operation: str
) -> None:
    metadata = {"engine": "openai", "bytes-in": "9", "ms": "5", "note": "only the first of 2 frames was edited"}
    if operation == "base64":
        store.bucket.put(store.key(job_id, "result"), b"edited", "image/png", metadata=metadata)
        payload: Callback = Base64Callback(
            status="completed", job_id=job_id, result_image_base64="aaaa", result_mime_type="image/png"
        )
    else:
        job_id = api.post("/process-image-async", image_body).body["job_id"]
        api.resources.outputs.put("results/x.png", b"edited", "image/png", metadata=metadata)
        payload = UrlCallback(
            status="completed", job_id=job_id, object_key="results/x.png", result_url="https://x", expires_in=1
        )
    assert "note" not in api("GET", f"/jobs/{job_id}").body
    store.decide(job_id, payload.to_json())

    assert api("GET", f"/jobs/{job_id}").body["note"] == "only the first of 2 frames was edited"


def test_an_output_storage_that_fails_costs_the_note_alone(
    api: Api, image_body: dict[str, str], store: JobStore
) -> None:
    job_id = api.post("/process-image-async", image_body).body["job_id"]
    payload = UrlCallback(status="completed", job_id=job_id, object_key="x.png", result_url="https://x", expires_in=1)
    store.decide(job_id, payload.to_json())
    api.resources.outputs.client.delete_bucket(Bucket="output")

    job = api("GET", f"/jobs/{job_id}").body

    assert (job["status"], "note" in job) == ("completed", False)
    assert "x.png" in job["result"]["result_url"]


def test_a_batchs_result_links_its_report_where_there_is_one(api: Api, store: JobStore) -> None:
    job_id = api.post("/batch-process-images", {"prompt": "p"}).body["job_id"]
    decided = BatchCallback(
        status="completed_with_errors",
        job_id=job_id,
        total_files=2,
        processed=1,
        failed=1,
        fallback_local=0,
        total_files_processed=1,
        duration_seconds=1.5,
        output_bucket="output",
        output_prefix=f"results/batch/{job_id}/",
        errors=["a.txt: UnsupportedImageError: no image"],
    )
    store.decide(job_id, decided.to_json())
    assert "report_url" not in api("GET", f"/jobs/{job_id}").body["result"]
    api.resources.outputs.put(f"results/batch/{job_id}/report.jsonl", b"{}", "application/jsonl")

    job = api("GET", f"/jobs/{job_id}").body

    assert job["status"] == "completed_with_errors"
    assert f"results/batch/{job_id}/report.jsonl" in job["result"]["report_url"]
    assert job["result"]["failed"] == 1


def test_failed_job_says_why(api: Api, job_id: str, store: JobStore) -> None:
    store.decide(job_id, Base64Callback(status="failed", job_id=job_id, error="BadRequestError: no").to_json())
    job = api("GET", f"/jobs/{job_id}").body

    assert (job["status"], job["error"]) == ("failed", "BadRequestError: no")


def test_delivery_is_told(api: Api, job_id: str, store: JobStore) -> None:
    store.put_delivery(job_id, Delivery(status="dead_lettered", attempts=3, last_error="503"))

    assert api("GET", f"/jobs/{job_id}").body["delivery"] == {
        "status": "dead_lettered",
        "attempts": 3,
        "last_error": "503",
    }


def test_unknown_and_malformed(api: Api) -> None:
    assert api("GET", f"/jobs/{UNKNOWN}").status == 404
    malformed = api("GET", "/jobs/nonsense")
    assert malformed.status == 422
    assert malformed.body["detail"][0]["loc"] == ["path", "job_id"]


def test_batch_progress_survives_throttling(api: Api, store: JobStore) -> None:
    job_id = api.post("/batch-process-images", {"prompt": "p"}).body["job_id"]
    api("GET", f"/jobs/{job_id}")
    store.bucket.delete_all([store.key(job_id, "progress.json")])
    with Stubber(api.resources.executions.client) as step_functions:
        step_functions.add_client_error("list_map_runs", "ThrottlingException", http_status_code=400)
        answered = api("GET", f"/jobs/{job_id}")

    assert (answered.status, answered.body["status"]) == (200, "running")
    assert "progress" not in answered.body
