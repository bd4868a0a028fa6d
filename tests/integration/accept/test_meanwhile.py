"""What a request has found may be deleted, or its job erased, before the request is done."""

import io
import json
from typing import Any

import boto3
import pytest
from PIL import Image

from functions.accept.jobs import index
from imagejobs.callbacks import BatchCallback
from imagejobs.errors import StorageUnavailableError
from imagejobs.executions import ExecutionName, Executions
from imagejobs.job_request import EVERYONE
from imagejobs.job_store import Delivery, Erasure, JobStore
from imagejobs.storage import Bucket
from tests.integration.accept.conftest import Answered, Api, once_before
from tests.support.pictures import picture

IMAGE = "/process-image-async-b64"
BATCH = "/batch-process-images"


def upload(api: Api, store: JobStore, body: bytes | None = None) -> str:
    key: str = api("POST", "/uploads", {"filename": "a.png", "content_type": "image/png", "size": 1}).body["image_key"]
    store.bucket.put(key, body or picture(), "image/png")
    return key


def mask() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGBA", (64, 48)).save(buffer, "PNG")
    return buffer.getvalue()


def recorded(store: JobStore) -> list[str]:
    """What there is of jobs, in the record and in the callers' lists."""
    return [key for prefix in ("jobs/", "callers/") for key, _ in store.bucket.keys(prefix)]


def erase(store: JobStore, job_id: str) -> None:
    """Erase a job's record, as DELETE /jobs/{job_id}/data does."""
    request = store.get_request(job_id)
    noted = {"erased_at": request.created_at, "delivery": Delivery(status="delivered")}
    store.put_erasure(Erasure(**request.model_dump(include={"job_id", "caller", "operation", "created_at"}), **noted))
    keys = [key for key, _ in store.bucket.keys(store.key(job_id, "")) if key != store.erasure_key(job_id)]
    store.bucket.delete_all(keys)


class TestAPostWhoseUploadIsDeleted:
    @pytest.fixture(params=["image_key", "mask_key", "reference_keys"])
    def sent(self, request: pytest.FixtureRequest, api: Api, store: JobStore) -> tuple[dict[str, Any], str, list[Any]]:
        """A body, the key in it that is about to be deleted, and where the body has it."""
        image, beside = upload(api, store), upload(api, store, mask())
        body = {"prompt": "p", "image_key": image}
        match request.param:
            case "mask_key":
                return body | {"mask_key": beside}, beside, ["body", "mask_key"]
            case "reference_keys":
                return body | {"reference_keys": [image, beside]}, beside, ["body", "reference_keys", 1]
        return body, image, ["body", "image_key"]

    @pytest.mark.parametrize("step", ["create", "copy_input"])
    def test_is_refused_like_one_without_its_upload_or_accepted(
        self,
        api: Api,
        store: JobStore,
        monkeypatch: pytest.MonkeyPatch,
        sent: tuple[dict[str, Any], str, list[Any]],
        step: str,
    ) -> None:
        body, key, loc = sent
        once_before(monkeypatch, JobStore, step, lambda: store.bucket.delete_all([key]))

        answered = api.post(IMAGE, body)

        if step == "create":  # the job has its own copy by now
            assert answered.status == 202
            return
        (problem,) = answered.body["detail"]
        assert (answered.status, problem["loc"]) == (422, loc)
        assert problem["msg"].startswith("nothing was uploaded under this key")
        assert recorded(store) == []

    def test_is_the_same_job_when_it_is_repeated_with_its_key_and_upload(
        self,
        api: Api,
        store: JobStore,
        monkeypatch: pytest.MonkeyPatch,
        sent: tuple[dict[str, Any], str, list[Any]],
    ) -> None:
        body, key, loc = sent
        kept = store.bucket.get(key).body
        once_before(monkeypatch, JobStore, "copy_input", lambda: store.bucket.delete_all([key]))

        refused = [api.post(IMAGE, body, Idempotency_Key="order-1") for _ in range(2)]

        assert [(one.status, one.body["detail"][0]["loc"]) for one in refused] == [(422, loc)] * 2
        assert api("GET", "/jobs").body["jobs"] == []
        store.bucket.put(key, kept, "image/png")
        assert api.post(IMAGE, body, Idempotency_Key="order-1").status == 202

    def test_is_completed_though_its_upload_is_gone_since_its_copy_was_kept(
        self, api: Api, store: JobStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        body = {"prompt": "p", "image_key": upload(api, store)}
        with monkeypatch.context() as broken:
            broken.setattr(Executions, "start", lambda *_: 1 / 0)
            assert api.post(IMAGE, body, Idempotency_Key="order-1").status == 500
        store.bucket.delete_all([body["image_key"]])

        answered = api.post(IMAGE, body, Idempotency_Key="order-1")

        assert answered.status == 202
        assert store.bucket.get(store.key(answered.body["job_id"], "input")).body == picture()


class TestAPostThatCannotBeStarted:
    @pytest.fixture(autouse=True)
    def _no_machine(self, api: Api, stack: dict[str, str]) -> None:
        boto3.client("stepfunctions").delete_state_machine(stateMachineArn=stack["STATE_MACHINE_ARN"])

    def test_leaves_no_job(self, api: Api, store: JobStore, image_body: dict[str, str]) -> None:
        assert [api.post(IMAGE, image_body).status, api.post(BATCH, {"prompt": "p"}).status] == [503, 503]

        assert recorded(store) == []

    def test_is_refused_all_the_same_while_the_storage_deletes_nothing(
        self, api: Api, image_body: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fails(*_: object) -> None:
            raise StorageUnavailableError("SlowDown")

        monkeypatch.setattr(Bucket, "delete_all", fails)

        assert api.post(IMAGE, image_body).status == 503

    def test_with_a_key_leaves_the_job_that_its_repetition_takes_up(
        self, api: Api, stack: dict[str, str], image_body: dict[str, str], executions: Executions
    ) -> None:
        assert api.post(IMAGE, image_body, Idempotency_Key="order-1").status == 503
        (queued,) = api("GET", "/jobs").body["jobs"]
        assert queued["status"] == "queued"

        definition = json.dumps({"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}})
        role = "arn:aws:iam::123456789012:role/image-job"
        boto3.client("stepfunctions").create_state_machine(name="image-job", definition=definition, roleArn=role)

        assert api.post(IMAGE, image_body, Idempotency_Key="order-1").body["job_id"] == queued["job_id"]
        assert executions.find_status(ExecutionName(queued["job_id"])) == "RUNNING"


@pytest.fixture
def batch(api: Api, store: JobStore) -> str:
    """A batch with a reference picture, of which an image failed, and whose report is in the output bucket."""
    body = {"prompt": "p", "reference_keys": [upload(api, store)]}
    job_id: str = api.post(BATCH, body).body["job_id"]
    prefix = f"results/batch/{job_id}/"
    counts = {"total_files": 1, "processed": 0, "failed": 1, "fallback_local": 0, "total_files_processed": 0}
    places = {"output_bucket": "output", "output_prefix": prefix}
    payload = BatchCallback(
        status="completed_with_errors", job_id=job_id, duration_seconds=1, errors=[], **counts, **places
    )
    line = {"status": "failed", "key": "a.png", "error": "x"}
    boto3.client("s3").put_object(Bucket="output", Key=f"{prefix}report.jsonl", Body=f"{json.dumps(line)}\n".encode())
    store.decide(job_id, payload.to_json())
    return job_id


class TestARequestWhoseJobIsErased:
    @pytest.mark.parametrize("ended", ["SUCCEEDED", "ABORTED"])
    @pytest.mark.parametrize(
        "step", ["find_payload_info", "find_payload", "get_delivery", "find_summary", "find_request"]
    )
    def test_a_get_tells_so(
        self, api: Api, batch: str, store: JobStore, monkeypatch: pytest.MonkeyPatch, step: str, ended: str
    ) -> None:
        monkeypatch.setattr(Executions, "find_status", lambda *_: ended)
        once_before(monkeypatch, JobStore, step, lambda: erase(store, batch))

        answered = api("GET", f"/jobs/{batch}")

        # What was read as a whole before is told as it was.
        assert (answered.status, answered.body["status"]) == (
            200,
            "completed_with_errors" if step == "find_summary" else "erased",
        )
        assert api("GET", f"/jobs/{batch}").body["status"] == "erased"

    @pytest.mark.parametrize("step", ["find_payload_info", "find_payload"])
    def test_a_list_tells_so(
        self, api: Api, batch: str, store: JobStore, monkeypatch: pytest.MonkeyPatch, step: str
    ) -> None:
        once_before(monkeypatch, JobStore, step, lambda: erase(store, batch))

        assert [job["status"] for job in api("GET", "/jobs").body["jobs"]] == ["erased"]

    @pytest.mark.parametrize("step", ["find_payload", "copy_input"])
    def test_a_retry_is_refused_and_nothing_recorded(
        self, api: Api, batch: str, store: JobStore, monkeypatch: pytest.MonkeyPatch, step: str
    ) -> None:
        once_before(monkeypatch, JobStore, step, lambda: erase(store, batch))

        self.refused(api("POST", f"/jobs/{batch}/retry"))

        assert [key for key in recorded(store) if batch not in key] == []

    @pytest.mark.parametrize("step", ["find", "get_range"])
    def test_a_list_of_images_is_refused_or_empty(
        self, api: Api, batch: str, store: JobStore, monkeypatch: pytest.MonkeyPatch, step: str
    ) -> None:
        def erased() -> None:
            erase(store, batch)
            boto3.client("s3").delete_object(Bucket="output", Key=f"results/batch/{batch}/report.jsonl")

        once_before(monkeypatch, Bucket, step, erased)
        answered = api("GET", f"/jobs/{batch}/images")

        if step == "find":
            assert (answered.status, answered.body["images"]) == (200, [])
        else:
            self.refused(answered)

    def test_a_cancellation_is_refused_and_leaves_nothing(
        self, api: Api, batch: str, store: JobStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Executions, "find_map_run", lambda *_: None)  # moto knows no map runs
        once_before(monkeypatch, JobStore, "decide", lambda: erase(store, batch))

        self.refused(api("DELETE", f"/jobs/{batch}"))

        assert [key for key, _ in store.bucket.keys(store.key(batch, ""))] == [store.erasure_key(batch)]

    def test_a_cancellation_that_loses_the_result_is_to_come_back(
        self, api: Api, batch: str, store: JobStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Executions, "find_map_run", lambda *_: None)  # moto knows no map runs
        once_before(monkeypatch, JobStore, "find_payload", lambda: erase(store, batch))

        assert api("DELETE", f"/jobs/{batch}").status == 503
        self.refused(api("DELETE", f"/jobs/{batch}"))

    def test_an_erasure_goes_on_with_it(
        self, api: Api, batch: str, store: JobStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        once_before(monkeypatch, JobStore, "has_payload", lambda: erase(store, batch))

        assert api("DELETE", f"/jobs/{batch}/data").status == 204

    def refused(self, answered: Answered) -> None:
        assert (answered.status, "were erased" in answered.body["detail"]) == (409, True)

    def test_a_post_that_waits_for_it_is_accepted_or_told_so(
        self, api: Api, store: JobStore, image_body: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def ends() -> None:
            (entry,) = index.entries(EVERYONE, store.bucket, None, 10)
            store.decide(entry.job_id, b'{"status": "failed", "error": "x"}')
            once_before(monkeypatch, JobStore, "find_payload", lambda: erase(store, entry.job_id))

        once_before(monkeypatch, JobStore, "has_payload", ends)

        answered = api("POST", IMAGE, image_body, Prefer="wait=10")

        assert (answered.status, answered.body["status"]) == (200, "erased")


class TestARecord:
    def test_whose_result_was_deleted_is_not_told_as_running(
        self, api: Api, batch: str, store: JobStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Executions, "find_status", lambda *_: "SUCCEEDED")
        store.bucket.delete_all([store.key(batch, "callback.json")])

        job = api("GET", f"/jobs/{batch}").body

        assert (job["status"], job["error"]) == ("failed", "the job has ended, and its result is not kept any more")

    @pytest.mark.parametrize("payload", [b"{", b"[]", b"{}"])
    def test_that_cannot_be_understood_hides_no_other_job(
        self, api: Api, store: JobStore, image_body: dict[str, str], payload: bytes
    ) -> None:
        broken, sound = (api.post(IMAGE, image_body).body["job_id"] for _ in range(2))
        store.decide(broken, payload)

        assert [job["job_id"] for job in api("GET", "/jobs").body["jobs"]] == [sound]

    def test_that_cannot_be_understood_changes_nothing_about_the_202_of_a_post_that_waits(
        self, api: Api, store: JobStore, image_body: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def breaks() -> None:
            (entry,) = index.entries(EVERYONE, store.bucket, None, 10)
            store.decide(entry.job_id, b"{")

        once_before(monkeypatch, JobStore, "has_payload", breaks)

        assert api("POST", IMAGE, image_body, Prefer="wait=10").status == 202
