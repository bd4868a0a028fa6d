"""Reading, cancelling, redelivering and feeding jobs."""

import json
from datetime import UTC, datetime

import pytest
from botocore.stub import Stubber

from functions.accept import services
from imagejobs.callbacks import Base64Callback, BatchCallback, UrlCallback
from imagejobs.executions import ExecutionName, Executions
from imagejobs.job_store import Delivery, JobStore
from tests.integration.accept.conftest import Api

UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def job_id(api: Api, image_body: dict[str, str]) -> str:
    """A base64 job under way."""
    return str(api.post("/process-image-async-b64", image_body).body["job_id"])


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

    def test_recorded_but_not_started_is_queued(self, api: Api, job_id: str, store: JobStore) -> None:
        other = store.recorded(job_id).model_copy(update={"job_id": UNKNOWN})
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
        client = services.store().bucket.client
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
        store.put_delivery(job_id, Delivery(status="dead_lettered", attempts=3, last_error="503"), if_etag=None)

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
        reader = services.job_reader()
        reader._progress.values.clear()
        with Stubber(reader.executions.client) as step_functions:
            step_functions.add_client_error("list_map_runs", "ThrottlingException", http_status_code=400)
            answered = api("GET", f"/jobs/{job_id}")

        assert (answered.status, answered.body["status"]) == (200, "running")
        assert "progress" not in answered.body


class TestCancel:
    def test_job_under_way_is_aborted(self, api: Api, job_id: str, store: JobStore, executions: Executions) -> None:
        assert api("DELETE", f"/jobs/{job_id}").status == 202
        assert api("DELETE", f"/jobs/{job_id}").status == 202  # idempotent

        assert executions.status(ExecutionName(job_id)) == "ABORTED"
        decided = store.decided(job_id)
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
        assert executions.status(ExecutionName(job_id)) == "RUNNING"

    def test_unknown(self, api: Api) -> None:
        assert api("DELETE", f"/jobs/{UNKNOWN}").status == 404


class TestRedeliver:
    def test_dead_lettered_job_is_delivered_again(
        self, api: Api, job_id: str, store: JobStore, executions: Executions
    ) -> None:
        store.decide(job_id, Base64Callback(status="failed", job_id=job_id, error="x").to_json())
        store.put_delivery(job_id, Delivery(status="dead_lettered", attempts=3), if_etag=None)

        assert api("POST", f"/jobs/{job_id}/redeliver").status == 202
        execution = executions.describe(ExecutionName(job_id, "redelivery", 1))
        assert execution is not None
        assert json.loads(execution["input"]) == {"job_id": job_id, "operation": "deliver"}
        assert api("POST", f"/jobs/{job_id}/redeliver").status == 409  # under way

    def test_job_without_result_is_a_conflict(self, api: Api, job_id: str) -> None:
        assert api("POST", f"/jobs/{job_id}/redeliver").status == 409

    def test_unknown(self, api: Api) -> None:
        assert api("POST", f"/jobs/{UNKNOWN}/redeliver").status == 404


class TestUploads:
    BODY = {"filename": "big.png", "content_type": "image/png", "size": 12}  # noqa: RUF012

    def test_form_names_a_key_that_a_job_takes(self, api: Api, store: JobStore) -> None:
        upload = api("POST", "/uploads", self.BODY)
        assert upload.status == 201
        image_key = upload.body["image_key"]
        assert upload.body["fields"]["key"] == image_key
        store.bucket.put(image_key, b"x" * 12, "image/png")
        job = api.post("/process-image-async", {"prompt": "p", "image_key": image_key})

        assert job.status == 202
        assert store.recorded(job.body["job_id"]).image_key == image_key

    def test_policy_binds_size_and_type(self, api: Api) -> None:
        import base64

        fields = api("POST", "/uploads", self.BODY).body["fields"]
        conditions = json.loads(base64.b64decode(fields["policy"]))["conditions"]

        assert ["content-length-range", 12, 12] in conditions
        assert {"Content-Type": "image/png"} in conditions

    @pytest.mark.parametrize(
        "change", [{"size": 0}, {"size": 60 * 1024 * 1024}, {"content_type": "text/html"}, {"filename": ""}]
    )
    def test_bad_upload(self, api: Api, change: dict[str, object]) -> None:
        assert api("POST", "/uploads", self.BODY | change).status == 422


class TestAround:
    def test_health_has_exactly_the_contracts_fields(self, api: Api) -> None:
        assert api("GET", "/health").body == {
            "ok": True,
            "mode": "async",
            "callback_rewrite_enabled": False,
            "max_concurrent_jobs": 10,
            "callback_retries": 21,
            "fallback_single_enabled": True,
            "workshop_token_enabled": False,
        }

    def test_cos_config_has_exactly_the_contracts_fields(self, api: Api) -> None:
        assert api("GET", "/cos/config").body == {
            "endpoint": "",
            "region": "eu-geo",
            "input_bucket": "input",
            "output_bucket": "output",
            "input_prefix": "",
            "output_prefix": "results/batch",
            "presign_expires": 900,
        }

    def test_correlation_id_is_given_or_made(self, api: Api, image_body: dict[str, str], store: JobStore) -> None:
        answered = api.post("/process-image-async", image_body, x_correlation_id="trace-7")

        assert answered.headers["x-correlation-id"] == "trace-7"
        assert store.recorded(answered.body["job_id"]).correlation_id == "trace-7"
        assert len(api("GET", "/health").headers["x-correlation-id"]) == 36

    def test_unknown_route_and_method(self, api: Api) -> None:
        assert api("GET", "/nothing").status == 404
        answered = api("GET", "/uploads")
        assert (answered.status, answered.headers["Allow"]) == (405, "OPTIONS, POST")
        assert set(answered.body) == {"detail"}

    def test_head_and_options(self, api: Api) -> None:
        head = api("HEAD", "/health")
        assert (head.status, head.body) == (200, "")
        options = api("OPTIONS", "/uploads")
        assert (options.status, options.headers["Allow"]) == (204, "OPTIONS, POST")

    def test_a_slash_at_the_end_makes_no_other_route(self, api: Api) -> None:
        assert api("GET", "/health/").status == 200
        assert api("OPTIONS", "/health/").headers["Allow"] == "GET, HEAD, OPTIONS"
        assert api("PUT", "/health/").status == 405

    def test_cors_for_the_configured_origins_only(
        self, api: Api, monkeypatch: pytest.MonkeyPatch, fresh_services: object
    ) -> None:
        assert "Access-Control-Allow-Origin" not in api("GET", "/health", Origin="https://app.example").headers
        monkeypatch.setenv("CORS_ALLOW_ORIGINS", "https://app.example, https://two.example")
        fresh_services()  # type: ignore[operator]

        for origin in ("https://app.example", "https://two.example"):
            headers = api("GET", "/health", Origin=origin).headers
            assert (headers["Access-Control-Allow-Origin"], headers["Vary"]) == (origin, "Origin")
        assert "Access-Control-Allow-Origin" not in api("GET", "/health", Origin="https://evil.example").headers
        preflight = api("OPTIONS", "/jobs/x", Origin="https://app.example")
        assert preflight.status == 204
        assert "callbackUrl" in preflight.headers["Access-Control-Allow-Headers"]

    def test_storage_that_fails_is_503_with_retry_after(self, api: Api, job_id: str) -> None:
        api("GET", "/health")
        with Stubber(services.store().bucket.client) as s3:
            s3.add_client_error("get_object", "SlowDown", http_status_code=503)
            answered = api("GET", f"/jobs/{job_id}")

        assert answered.status == 503
        assert answered.headers["Retry-After"] == "5"

    def test_no_prompt_and_no_query_string_in_the_logs(
        self, api: Api, image_body: dict[str, str], caplog: pytest.LogCaptureFixture
    ) -> None:
        api.post("/process-image-async", image_body | {"prompt": "a secret wish"})
        api.post("/process-image-async", image_body | {"prompt": "a secret wish\u0000"})

        logged = str([record.__dict__ for record in caplog.records])
        assert "accepted" in logged
        assert "secret wish" not in logged
        assert "s3cret" not in logged
