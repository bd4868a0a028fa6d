"""DELETE /jobs/{job_id}/data: what a finished job holds of its caller goes, and that it existed stays known."""

from datetime import timedelta
from typing import Any

import boto3
import pytest

from functions.accept.jobs import erase
from imagejobs.callbacks import Base64Callback, BatchCallback, UrlCallback
from imagejobs.executions import ExecutionName, Executions
from imagejobs.job_store import Delivery, JobStore
from tests.integration.accept.conftest import Answered, Api

UPLOAD = {"filename": "big.png", "content_type": "image/png", "size": 12}
PERSONAL = ("Anna", "receiver.example", "anna.png")


@pytest.fixture
def body(image_body: dict[str, str]) -> dict[str, str]:
    """The body of a single-image job, with what tells of a person."""
    return image_body | {"prompt": "Make Anna smile", "filename": "anna.png"}


@pytest.fixture(autouse=True)
def _no_wind_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped executions count as wound down: moto's never end by themselves."""
    monkeypatch.setattr(erase, "WIND_DOWN", timedelta(0))


def end(job_id: str, store: JobStore, executions: Executions, payload: bytes) -> None:
    """Have a job end with a payload that was delivered."""
    store.decide(job_id, payload)
    executions.stop(ExecutionName(job_id), error="over", cause="")
    delivery = store.get_delivery(job_id)
    assert store.put_delivery(
        job_id, delivery.model_copy(update={"status": "delivered", "attempts": 2, "last_error": "x"})
    )


def failed(job_id: str) -> bytes:
    return Base64Callback(status="failed", job_id=job_id, error="x", filename="anna.png").to_json()


def erased(api: Api, job_id: str, **headers: str) -> Answered:
    return api("DELETE", f"/jobs/{job_id}/data", **headers)


def everything(store: JobStore) -> dict[str, bytes]:
    """Every object of the stack's buckets, but for the list of jobs: that there was a job stays known."""
    s3 = boto3.client("s3")
    return {
        f"{bucket}/{entry['Key']}": s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
        for bucket in ("jobs", "input", "output")
        for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", [])
        if not entry["Key"].startswith("callers/")
    }


def test_nothing_is_left_of_a_base64_job_but_that_it_existed(
    api: Api, body: dict[str, str], store: JobStore, executions: Executions
) -> None:
    job_id = api.post("/process-image-async-b64", body).body["job_id"]
    store.bucket.put(store.key(job_id, "result"), b"edited", "image/png")
    end(job_id, store, executions, failed(job_id))
    before = api("GET", f"/jobs/{job_id}").body

    answered = erased(api, job_id)

    assert (answered.status, answered.body) == (204, "")
    left = everything(store)
    assert list(left) == [f"jobs/{store.erasure_key(job_id)}"]
    assert not any(word in str(left) for word in PERSONAL)
    after = api("GET", f"/jobs/{job_id}")
    assert after.status == 200
    assert after.body.pop("erased_at")
    assert after.body.pop("as_of")
    assert after.body == {
        "job_id": job_id,
        "operation": "base64",
        "status": "erased",
        "created_at": before["created_at"],
        "delivery": {"status": "delivered", "attempts": 2},
    }


def test_a_url_jobs_upload_and_result_go_with_it_and_no_other_jobs(
    api: Api, body: dict[str, str], store: JobStore, executions: Executions
) -> None:
    image_key = api("POST", "/uploads", UPLOAD).body["image_key"]
    store.bucket.put(image_key, b"x" * 12, "image/png")
    asked = {"prompt": "Make Anna smile", "image_key": image_key}
    ours, other = (api.post("/process-image-async", asked).body["job_id"] for _ in range(2))
    for job_id in (ours, other):
        key = f"results/{job_id}/anna_modified.png"
        boto3.client("s3").put_object(Bucket="output", Key=key, Body=b"edited")
        payload = UrlCallback(status="completed", job_id=job_id, object_key=key, result_url="https://x", expires_in=1)
        end(job_id, store, executions, payload.to_json())

    assert erased(api, ours).status == 204

    left = everything(store)
    assert f"jobs/{image_key}" not in left
    assert [key for key in left if ours in key] == [f"jobs/{store.erasure_key(ours)}"]
    assert left[f"jobs/{store.key(other, 'input')}"] == b"x" * 12
    assert f"output/results/{other}/anna_modified.png" in left


@pytest.fixture
def batch(api: Api, store: JobStore, executions: Executions) -> str:
    """A batch of 1,200 images that has ended."""
    job_id: str = api.post("/batch-process-images", {"prompt": "Make Anna smile", "output_prefix": "Anna"}).body[
        "job_id"
    ]
    prefix = f"results/batch/Anna/{job_id}/"
    s3 = boto3.client("s3")
    for number in range(1200):
        s3.put_object(Bucket="output", Key=f"{prefix}{number}.png", Body=b"")
    s3.put_object(Bucket="output", Key="results/batch/Anna/other.png", Body=b"")
    for name in ("manifest.jsonl", "map-runs/1/manifest.json", "map-runs/1/SUCCEEDED_0.json"):
        s3.put_object(Bucket="jobs", Key=store.key(job_id, name), Body=b"Anna")
    counts = {"total_files": 1200, "processed": 1200, "failed": 0, "fallback_local": 0, "total_files_processed": 1200}
    payload = BatchCallback(
        status="completed",
        job_id=job_id,
        **counts,
        duration_seconds=1,
        output_bucket="output",
        output_prefix=prefix,
        errors=[],
    )
    end(job_id, store, executions, payload.to_json())
    return job_id


def test_a_batchs_results_manifest_and_map_runs_go_wherever_the_settings_lead_now(
    api: Api, batch: str, stack: dict[str, str], store: JobStore
) -> None:
    moved = Api(stack | {"COS_OUTPUT_PREFIX": "elsewhere"})

    assert erased(moved, batch).status == 204

    left = everything(store)
    assert set(left) == {f"jobs/{store.erasure_key(batch)}", "output/results/batch/Anna/other.png"}
    assert b"Anna" not in left[f"jobs/{store.erasure_key(batch)}"]


def test_what_does_not_fit_into_one_request_is_gone_after_the_next(
    api: Api, batch: str, store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erase, "SECONDS", -1)
    first = erased(api, batch)
    assert (first.status, first.headers["Retry-After"]) == (202, "1")
    assert api("GET", f"/jobs/{batch}").body["status"] == "erased"
    assert store.find_request(batch) is None

    monkeypatch.setattr(erase, "SECONDS", 20)
    assert erased(api, batch).status == 204
    assert [key for key in everything(store) if batch in key] == [f"jobs/{store.erasure_key(batch)}"]


def test_erasing_twice_does_no_harm_and_takes_what_came_late(
    api: Api, body: dict[str, str], store: JobStore, executions: Executions
) -> None:
    job_id = api.post("/process-image-async-b64", body).body["job_id"]
    end(job_id, store, executions, failed(job_id))
    assert erased(api, job_id).status == 204
    first = api("GET", f"/jobs/{job_id}").body
    store.bucket.put(store.key(job_id, "result"), b"edited", "image/png")

    assert erased(api, job_id).status == 204
    assert api("GET", f"/jobs/{job_id}").body | {"as_of": first["as_of"]} == first
    assert len(everything(store)) == 1


@pytest.mark.parametrize(("method", "rest"), [("POST", "/redeliver"), ("DELETE", "")])
def test_an_erased_job_is_neither_redelivered_nor_cancelled(
    api: Api, body: dict[str, str], store: JobStore, executions: Executions, method: str, rest: str
) -> None:
    job_id = api.post("/process-image-async-b64", body).body["job_id"]
    end(job_id, store, executions, failed(job_id))
    erased(api, job_id)

    answered = api(method, f"/jobs/{job_id}{rest}")

    assert (answered.status, "erased" in answered.body["detail"]) == (409, True)
    assert len(everything(store)) == 1


def test_a_job_without_a_result_is_not_erased(api: Api, body: dict[str, str], store: JobStore) -> None:
    job_id = api.post("/process-image-async-b64", body).body["job_id"]

    answered = erased(api, job_id)

    assert (answered.status, "cancel it" in answered.body["detail"]) == (409, True)
    assert store.find_request(job_id)


@pytest.mark.parametrize("kind", ["job", "last-word", "redelivery"])
def test_a_callback_that_is_being_delivered_is_not_erased(
    api: Api, body: dict[str, str], store: JobStore, executions: Executions, kind: Any
) -> None:
    job_id = api.post("/process-image-async-b64", body).body["job_id"]
    store.decide(job_id, failed(job_id))
    if kind != "job":
        executions.stop(ExecutionName(job_id), error="over", cause="")
        executions.start(ExecutionName(job_id, kind, 1), "deliver")
    if kind == "redelivery":
        store.put_delivery(job_id, Delivery(round=1))

    answered = erased(api, job_id)

    assert (answered.status, "still being delivered" in answered.body["detail"]) == (409, True)
    assert store.find_request(job_id)


def test_a_callback_that_is_yet_to_come_is_not_erased(
    api: Api, body: dict[str, str], store: JobStore, executions: Executions
) -> None:
    job_id = api.post("/process-image-async-b64", body).body["job_id"]
    store.decide(job_id, failed(job_id))
    executions.stop(ExecutionName(job_id), error="over", cause="")

    answered = erased(api, job_id)

    assert (answered.status, "neither delivered nor given up" in answered.body["detail"]) == (409, True)


def test_an_edit_that_may_still_end_is_waited_for(
    api: Api, body: dict[str, str], store: JobStore, executions: Executions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erase, "WIND_DOWN", timedelta(minutes=6))
    job_id = api.post("/process-image-async-b64", body).body["job_id"]
    end(job_id, store, executions, failed(job_id))

    answered = erased(api, job_id)

    assert answered.status == 409
    assert 0 < int(answered.headers["Retry-After"]) <= 361
    assert store.find_request(job_id)


def test_an_idempotency_key_does_not_bring_an_erased_job_back(
    api: Api, body: dict[str, str], store: JobStore, executions: Executions
) -> None:
    job_id = api.post("/process-image-async-b64", body, Idempotency_Key="order-7").body["job_id"]
    end(job_id, store, executions, failed(job_id))
    erased(api, job_id)

    assert api.post("/process-image-async-b64", body, Idempotency_Key="order-7").status == 409
    assert not any(word in str(everything(store)) for word in PERSONAL)


def test_an_erased_jobs_idempotency_key_stays_used_when_step_functions_has_forgotten_the_job(
    api: Api, stack: dict[str, str], body: dict[str, str], store: JobStore, executions: Executions
) -> None:
    job_id = api.post("/process-image-async-b64", body, Idempotency_Key="order-7").body["job_id"]
    end(job_id, store, executions, failed(job_id))
    erased(api, job_id)
    client = boto3.client("stepfunctions")
    known = client.describe_state_machine(stateMachineArn=stack["STATE_MACHINE_ARN"])
    empty = client.create_state_machine(
        name="without-executions", definition=known["definition"], roleArn=known["roleArn"]
    )["stateMachineArn"]
    later = Api(stack | {"STATE_MACHINE_ARN": empty})

    assert later.post("/process-image-async-b64", body, Idempotency_Key="order-7").status == 409
    assert client.list_executions(stateMachineArn=empty)["executions"] == []
    assert not any(word in str(everything(store)) for word in PERSONAL)


def test_another_callers_job_is_not_erased_and_an_erased_one_not_shown(
    api: Api, body: dict[str, str], store: JobStore, executions: Executions
) -> None:
    job_id = api.post("/process-image-async-b64", body, x_api_key="one").body["job_id"]
    end(job_id, store, executions, failed(job_id))

    assert erased(api, job_id, x_api_key="another").status == 404
    assert store.find_request(job_id)
    assert erased(api, job_id, x_api_key="one").status == 204
    assert erased(api, job_id, x_api_key="another").status == 404
    assert api("GET", f"/jobs/{job_id}", x_api_key="another").status == 404


def test_a_storage_that_refuses_is_told_and_asked_again(api: Api, batch: str, store: JobStore) -> None:
    refusing = api.resources.clients.s3.meta.events

    def refuse(params: dict[str, Any], **_: Any) -> None:
        if params["Bucket"] == "output":
            params["Bucket"] = "no-such-bucket"

    refusing.register("provide-client-params.s3.DeleteObjects", refuse)
    answered = erased(api, batch)
    assert (answered.status, "right to delete" in answered.body["detail"]) == (500, True)

    refusing.unregister("provide-client-params.s3.DeleteObjects", refuse)
    assert erased(api, batch).status == 204
    assert [key for key in everything(store) if batch in key] == [f"jobs/{store.erasure_key(batch)}"]
