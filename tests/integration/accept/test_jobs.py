"""Cancelling, redelivering and feeding jobs."""

import json
from datetime import UTC, datetime

import pytest
from botocore.stub import Stubber

from functions.accept.jobs.steer import redeliver
from imagejobs.callbacks import Base64Callback, BatchCallback
from imagejobs.executions import ExecutionName, Executions
from imagejobs.job_store import Delivery, JobStore
from tests.integration.accept.conftest import CALLBACK_URL, Api
from tests.support.map_runs import map_run

UNKNOWN = "00000000-0000-4000-8000-000000000000"


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

    def test_a_job_that_never_began_is_delivered_by_an_execution_of_its_own_name(
        self,
        api: Api,
        image_body: dict[str, str],
        executions: Executions,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def posted(key: str, **headers: str) -> str:
            with monkeypatch.context() as broken:
                broken.setattr(Executions, "start", lambda *_: 1 / 0)
                api("POST", "/process-image-async-b64", image_body, Idempotency_Key=key, **headers)
            return str(api("GET", "/jobs").body["jobs"][0]["job_id"])

        told, silent = posted("order-1", callbackUrl=CALLBACK_URL), posted("order-2", Prefer="respond-async")

        assert [api("DELETE", f"/jobs/{job_id}").status for job_id in (told, silent)] == [202, 202]

        execution = executions.find(ExecutionName(told))
        assert execution
        assert json.loads(execution["input"]) == {"job_id": told, "operation": "deliver"}
        assert executions.find(ExecutionName(silent)) is None
        # The post that is repeated, or was about to start it, starts nothing else.
        assert not executions.start(ExecutionName(told), "base64")

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
