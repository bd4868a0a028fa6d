"""Reading, cancelling, redelivering and feeding jobs."""

import json
from datetime import UTC, datetime, timedelta

from botocore.stub import Stubber

from functions.accept.jobs.steer import redeliver
from imagejobs.callbacks import Base64Callback, BatchCallback, UrlCallback
from imagejobs.executions import ExecutionName, Executions
from imagejobs.job_store import Delivery, JobStore, Waiting
from tests.integration.accept.conftest import Api
from tests.support.map_runs import map_run

UNKNOWN = "00000000-0000-4000-8000-000000000000"


class TestRead:
    def test_job_under_way(self, api: Api, job_id: str) -> None:
        answered = api("GET", f"/jobs/{job_id}")

        assert answered.status == 200
        created_at = datetime.fromisoformat(answered.body.pop("created_at"))
        assert (datetime.now(UTC) - created_at).total_seconds() < 60
        assert answered.body == {
            "job_id": job_id,
            "operation": "base64",
            "status": "running",
            "delivery": {"status": "pending", "attempts": 0},
        }
        assert answered.headers["Retry-After"] == "2"

    def test_a_single_image_that_waits_says_so_until_its_turn(self, api: Api, job_id: str, store: JobStore) -> None:
        now, since = datetime.now(UTC), datetime(2026, 11, 25, 12, 30, tzinfo=UTC)
        store.put_waiting(job_id, Waiting(since=since, until=now + timedelta(minutes=1)))

        job = api("GET", f"/jobs/{job_id}").body

        assert job["status"] == "running"
        assert job["waiting"] == {"reason": "waiting for OpenAI's rate limit", "since": "2026-11-25T12:30:00Z"}
        store.put_waiting(job_id, Waiting(since=since, until=now - timedelta(seconds=1)))
        assert "waiting" not in api("GET", f"/jobs/{job_id}").body

    def test_recorded_but_not_started_is_queued(self, api: Api, job_id: str, store: JobStore) -> None:
        other = store.get_request(job_id).model_copy(update={"job_id": UNKNOWN})
        store.create(other)

        assert api("GET", f"/jobs/{UNKNOWN}").body["status"] == "queued"

    def test_base64_result_is_a_fresh_link(self, api: Api, job_id: str, store: JobStore) -> None:
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

    def test_a_large_payload_is_not_read(self, api: Api, job_id: str, store: JobStore) -> None:
        payload = Base64Callback(
            status="completed",
            job_id=job_id,
            filename="cat.png",
            result_image_base64="a" * 100_000,
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

    def test_url_result_is_linked_anew(self, api: Api, image_body: dict[str, str], store: JobStore) -> None:
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

    def test_batch_result_links_its_report(self, api: Api, store: JobStore) -> None:
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
        job = api("GET", f"/jobs/{job_id}").body

        assert job["status"] == "completed_with_errors"
        assert f"results/batch/{job_id}/report.jsonl" in job["result"]["report_url"]
        assert job["result"]["failed"] == 1

    def test_failed_job_says_why(self, api: Api, job_id: str, store: JobStore) -> None:
        store.decide(job_id, Base64Callback(status="failed", job_id=job_id, error="BadRequestError: no").to_json())
        job = api("GET", f"/jobs/{job_id}").body

        assert (job["status"], job["error"]) == ("failed", "BadRequestError: no")

    def test_delivery_is_told(self, api: Api, job_id: str, store: JobStore) -> None:
        store.put_delivery(job_id, Delivery(status="dead_lettered", attempts=3, last_error="503"))

        assert api("GET", f"/jobs/{job_id}").body["delivery"] == {
            "status": "dead_lettered",
            "attempts": 3,
            "last_error": "503",
        }

    def test_unknown_and_malformed(self, api: Api) -> None:
        assert api("GET", f"/jobs/{UNKNOWN}").status == 404
        malformed = api("GET", "/jobs/nonsense")
        assert malformed.status == 422
        assert malformed.body["detail"][0]["loc"] == ["path", "job_id"]

    def test_batch_progress_survives_throttling(self, api: Api) -> None:
        job_id = api.post("/batch-process-images", {"prompt": "p"}).body["job_id"]
        api("GET", f"/jobs/{job_id}")
        reader = api.resources.job_reader
        reader._progress.values.clear()
        with Stubber(reader.executions.client) as step_functions:
            step_functions.add_client_error("list_map_runs", "ThrottlingException", http_status_code=400)
            answered = api("GET", f"/jobs/{job_id}")

        assert (answered.status, answered.body["status"]) == (200, "running")
        assert "progress" not in answered.body


class TestCancel:
    def test_a_batch_says_what_was_made(self, api: Api, store: JobStore) -> None:
        job_id = api.post("/batch-process-images", {"prompt": "p"}).body["job_id"]
        with map_run(api.resources.executions.client, "RUNNING", total=9, succeeded=4, running=2, pending=3) as asked:
            asked.add_response("stop_execution", {"stopDate": datetime.now(UTC)})
            assert api("DELETE", f"/jobs/{job_id}").status == 202

        decided = store.find_payload(job_id)
        assert decided
        payload = BatchCallback.model_validate_json(decided.body)
        assert (payload.status, payload.total_files, payload.processed, payload.failed) == ("failed", 9, 4, 5)
        assert payload.error == "cancelled"

    def test_a_batch_is_cancelled_though_step_functions_throttles(self, api: Api, store: JobStore) -> None:
        job_id = api.post("/batch-process-images", {"prompt": "p"}).body["job_id"]
        with Stubber(api.resources.executions.client) as step_functions:
            step_functions.add_client_error("list_map_runs", "ThrottlingException", http_status_code=400)
            step_functions.add_response("stop_execution", {"stopDate": datetime.now(UTC)})
            assert api("DELETE", f"/jobs/{job_id}").status == 202

        assert store.has_payload(job_id)

    def test_job_under_way_is_aborted(self, api: Api, job_id: str, store: JobStore, executions: Executions) -> None:
        assert api("DELETE", f"/jobs/{job_id}").status == 202
        assert api("DELETE", f"/jobs/{job_id}").status == 202  # idempotent

        assert executions.find_status(ExecutionName(job_id)) == "ABORTED"
        decided = store.find_payload(job_id)
        assert decided is not None
        assert json.loads(decided.body) == {
            "status": "failed",
            "job_id": job_id,
            "filename": "cat.png",
            "error": "cancelled",
        }
        assert api("GET", f"/jobs/{job_id}").body["status"] == "cancelled"

    def test_decided_job_is_not(self, api: Api, job_id: str, store: JobStore, executions: Executions) -> None:
        store.decide(job_id, Base64Callback(status="failed", job_id=job_id, error="x").to_json())

        assert api("DELETE", f"/jobs/{job_id}").status == 409
        assert executions.find_status(ExecutionName(job_id)) == "RUNNING"

    def test_unknown(self, api: Api) -> None:
        assert api("DELETE", f"/jobs/{UNKNOWN}").status == 404


class TestRedeliver:
    def test_dead_lettered_job_is_delivered_again(
        self, api: Api, job_id: str, store: JobStore, executions: Executions
    ) -> None:
        store.decide(job_id, Base64Callback(status="failed", job_id=job_id, error="x").to_json())
        store.put_delivery(job_id, Delivery(status="dead_lettered", attempts=3))

        assert api("POST", f"/jobs/{job_id}/redeliver").status == 202
        execution = executions.find(ExecutionName(job_id, "redelivery", 1))
        assert execution is not None
        assert json.loads(execution["input"]) == {"job_id": job_id, "operation": "deliver"}
        assert api("POST", f"/jobs/{job_id}/redeliver").status == 409  # under way

    def test_job_without_result_is_a_conflict(self, api: Api, job_id: str) -> None:
        assert api("POST", f"/jobs/{job_id}/redeliver").status == 409

    def test_unknown(self, api: Api) -> None:
        assert api("POST", f"/jobs/{UNKNOWN}/redeliver").status == 404

    def test_redeliveries_keep_an_interval(
        self, api: Api, stack: dict[str, str], job_id: str, store: JobStore, executions: Executions
    ) -> None:
        store.decide(job_id, Base64Callback(status="failed", job_id=job_id, error="x").to_json())
        executions.stop(ExecutionName(job_id), error="over", cause="")
        assert api("POST", f"/jobs/{job_id}/redeliver").status == 202
        self.deliver(job_id, store)

        early = api("POST", f"/jobs/{job_id}/redeliver")

        assert early.status == 429
        assert 1 <= int(early.headers["Retry-After"]) <= 60
        assert store.get_delivery(job_id).round == 1
        assert Api(stack | {"REDELIVERY_INTERVAL_SECONDS": "0"})("POST", f"/jobs/{job_id}/redeliver").status == 202

    def test_redeliveries_of_one_job_are_counted(
        self, stack: dict[str, str], job_id: str, store: JobStore, executions: Executions
    ) -> None:
        api = Api(stack | {"REDELIVERY_INTERVAL_SECONDS": "0", "MAX_REDELIVERIES": "3"})
        store.decide(job_id, Base64Callback(status="failed", job_id=job_id, error="x").to_json())
        executions.stop(ExecutionName(job_id), error="over", cause="")
        statuses = []
        for _ in range(5):
            answered = api("POST", f"/jobs/{job_id}/redeliver")
            statuses.append(answered.status)
            self.deliver(job_id, store)

        assert statuses == [202, 202, 202, 429, 429]
        assert "3 times" in answered.body["detail"]
        assert answered.headers["Retry-After"] == "3600"
        # Whoever runs the stack has no such limit.
        redeliver(job_id, store, executions)
        assert store.get_delivery(job_id).round == 4

    @staticmethod
    def deliver(job_id: str, store: JobStore) -> None:
        """What `callback` records when the receiver has taken the payload."""
        store.update_delivery(job_id, lambda now: now.model_copy(update={"status": "delivered"}))
