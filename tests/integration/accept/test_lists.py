"""Pages of a caller's jobs and of a batch's images."""

import json
import time
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest

from functions.accept.jobs import index
from imagejobs.executions import ExecutionName, Executions
from imagejobs.job_request import EVERYONE
from imagejobs.job_store import Delivery, Erasure, JobStore
from tests.integration.accept.conftest import Answered, Api
from tests.support.jobs import job_request

BATCH = "/batch-process-images"


def pages(api: Api, path: str, what: str, **headers: str) -> list[dict[str, Any]]:
    """Every entry of a list, page by page."""
    found: list[dict[str, Any]] = []
    separator, cursor = "&" if "?" in path else "?", ""
    while True:
        answered = api("GET", f"{path}{separator}limit=2&cursor={cursor}", **headers)
        assert answered.status == 200, answered.body
        assert answered.headers["Cache-Control"] == "no-store"
        found += answered.body[what]
        cursor = answered.body.get("next")
        if not cursor:
            return found


def erased(job_id: str) -> Erasure:
    now = datetime.now(UTC)
    return Erasure(job_id=job_id, caller=EVERYONE, operation="url", created_at=now, erased_at=now, delivery=Delivery())


class TestJobs:
    def post(self, api: Api, route: str, body: dict[str, str], **headers: str) -> str:
        time.sleep(0.002)  # two jobs of one millisecond have no order
        return str(api.post(route, body, **headers).body["job_id"])

    def test_the_callers_own_come_newest_first(self, api: Api, store: JobStore, image_body: dict[str, str]) -> None:
        mine = [
            self.post(api, route, body, x_api_key="alice")
            for route, body in (
                ("/process-image-async-b64", image_body),
                (BATCH, {"prompt": "p"}),
                ("/process-image-async", image_body),
            )
        ]
        self.post(api, BATCH, {"prompt": "p"}, x_api_key="bob")
        store.decide(mine[0], json.dumps({"status": "failed", "error": "cancelled"}).encode())
        store.decide(mine[1], json.dumps({"status": "completed_with_errors"}).encode())

        jobs = pages(api, "/jobs", "jobs", x_api_key="alice")

        assert [(job["job_id"], job["operation"], job["status"]) for job in jobs] == [
            (mine[2], "url", "running"),
            (mine[1], "batch", "completed_with_errors"),
            (mine[0], "base64", "cancelled"),
        ]
        assert ["finished_at" in job for job in jobs] == [False, True, True]
        assert jobs[2]["created_at"][:23] == store.get_request(mine[0]).created_at.isoformat()[:23]
        assert pages(api, "/jobs?status=cancelled", "jobs", x_api_key="alice") == jobs[2:]
        assert pages(api, "/jobs?operation=batch", "jobs", x_api_key="alice") == jobs[1:2]
        assert pages(api, "/jobs", "jobs", x_api_key="carol") == []

    def test_a_repeated_post_is_listed_once_and_an_erased_job_still(
        self, api: Api, store: JobStore, image_body: dict[str, str]
    ) -> None:
        for _ in range(2):
            job_id = self.post(api, "/process-image-async", image_body, Idempotency_Key="order-1")
        assert [job["job_id"] for job in pages(api, "/jobs", "jobs")] == [job_id]

        store.bucket.delete_all([store.key(job_id, name) for name in ("request.json", "input")])
        store.put_erasure(erased(job_id))
        assert [job["status"] for job in pages(api, "/jobs", "jobs")] == ["erased"]
        # The record and the list expire independently: what is gone is not told of.
        store.bucket.delete_all([store.erasure_key(job_id)])
        assert pages(api, "/jobs", "jobs") == []

    def test_a_job_whose_start_failed_is_listed_when_it_is_posted_again(
        self, api: Api, store: JobStore, image_body: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as broken:
            broken.setattr(index, "add", lambda *_: 1 / 0)
            assert api.post("/process-image-async", image_body, Idempotency_Key="k").status == 500
        assert pages(api, "/jobs", "jobs") == []

        job_id = api.post("/process-image-async", image_body, Idempotency_Key="k").body["job_id"]

        (job,) = pages(api, "/jobs", "jobs")
        assert job["job_id"] == job_id
        assert job["created_at"][:23] == store.get_request(job_id).created_at.isoformat()[:23]

    def test_a_job_whose_execution_has_not_begun_is_queued_as_it_is_by_itself(
        self, api: Api, store: JobStore, image_body: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        running = self.post(api, BATCH, {"prompt": "p"})
        asked: list[str] = []
        original = Executions.find_status

        def counting(executions: Executions, name: ExecutionName) -> str | None:
            asked.append(name.job_id)
            return original(executions, name)

        monkeypatch.setattr(Executions, "find_status", counting)
        with monkeypatch.context() as broken:
            broken.setattr(Executions, "start", lambda *_: 1 / 0)
            assert api.post("/process-image-async", image_body, Idempotency_Key="k").status == 500

        (queued,) = pages(api, "/jobs?status=queued", "jobs")
        assert [job["job_id"] for job in pages(api, "/jobs?status=running", "jobs")] == [running]
        assert api("GET", f"/jobs/{queued['job_id']}").body["status"] == "queued"
        # What has begun is remembered: Step Functions allows few such questions.
        assert asked.count(running) == 1

        assert api.post("/process-image-async", image_body, Idempotency_Key="k").body["job_id"] == queued["job_id"]
        assert pages(api, "/jobs?status=queued", "jobs") == []
        store.decide(queued["job_id"], json.dumps({"status": "failed", "error": "x"}).encode())
        assert [job["status"] for job in pages(api, "/jobs", "jobs")] == ["failed", "running"]

    def test_filters_end_and_a_page_may_be_empty(self, api: Api, store: JobStore) -> None:
        for number in range(230):
            index.add(
                job_request("url", job_id=f"0b6f2c1e-0000-4000-8000-{number:012d}", caller=EVERYONE), store.bucket
            )

        first = api("GET", "/jobs?operation=batch").body

        assert first["jobs"] == []
        assert api("GET", f"/jobs?operation=batch&cursor={first['next']}").body == {"jobs": []}

    def test_what_is_asked_for_is_checked(self, api: Api) -> None:
        for query in ("limit=0", "limit=101", "cursor=x", "status=done", "operation=x"):
            answered = api("GET", f"/jobs?{query}")
            assert (answered.status, answered.body["detail"][0]["loc"]) == (422, ["query", query.partition("=")[0]])


class TestImages:
    @pytest.fixture
    def batch(self, api: Api) -> str:
        return str(api.post(BATCH, {"prompt": "p", "prefix": "cats"}).body["job_id"])

    def report(self, store: JobStore, job_id: str, images: list[dict[str, Any]]) -> None:
        """End a batch with this report."""
        prefix = f"results/batch/{job_id}/"
        lines = "".join(f"{json.dumps(image)}\n" for image in images)
        boto3.client("s3").put_object(Bucket="output", Key=f"{prefix}report.jsonl", Body=lines.encode())
        store.decide(job_id, json.dumps({"status": "completed", "output_prefix": prefix}).encode())

    def test_a_report_is_paged_and_filtered(self, api: Api, batch: str, store: JobStore) -> None:
        images = [
            {"status": "completed", "key": f"cats/{n}.png", "output_key": f"o/{n}.png", "engine": "openai", "ms": n}
            for n in range(5)
        ]
        images[2]["stands_in_for"] = "gemini"
        images[3] = {"status": "failed", "key": "cats/3.png", "error": "X: no", "attempts": 2}
        self.report(store, batch, images)

        listed = pages(api, f"/jobs/{batch}/images", "images")

        assert [image["file"] for image in listed] == [f"cats/{n}.png" for n in range(5)]
        assert "/cats/1.png?" in listed[1].pop("before_url")
        assert listed[1].pop("after_url").startswith("https://")
        assert listed[1] == {"file": "cats/1.png", "status": "completed", "engine": "openai", "ms": 1}
        assert [image.get("stands_in_for") for image in listed] == [None, None, "gemini", None, None]
        assert ("after_url" in listed[3], listed[3]["error"], listed[3]["attempts"]) == (False, "X: no", 2)
        assert pages(api, f"/jobs/{batch}/images?status=failed", "images")[0]["file"] == "cats/3.png"
        assert api("GET", f"/jobs/{batch}/images").body["expires_in"] == 900

    def test_a_long_report_is_read_in_ranges(self, api: Api, batch: str, store: JobStore) -> None:
        images = [{"status": "completed", "key": f"{n:05d}", "note": "x" * 400} for n in range(25_000)]
        images[-1]["status"] = "failed"
        self.report(store, batch, images)

        answered = api("GET", f"/jobs/{batch}/images?status=failed")  # 11 MB are not read for one page
        assert answered.body["images"] == []
        following = api("GET", f"/jobs/{batch}/images?status=failed&cursor={answered.body['next']}").body
        assert [image["file"] for image in following["images"]] == ["24999"]
        assert "next" not in following

    def test_while_a_batch_runs_the_edits_so_far_are_listed(self, api: Api, batch: str) -> None:
        s3 = boto3.client("s3")
        for name in ("cats/a.png_modified.jpg", "cats/b_modified.png_modified.png", "cats/c.gif_modified.png"):
            s3.put_object(Bucket="output", Key=f"results/batch/{batch}/{name}", Body=b"edit")

        listed = pages(api, f"/jobs/{batch}/images", "images")

        assert [(image["file"], image["status"], image["bytes_out"]) for image in listed] == [
            ("cats/a.png", "completed", 4),
            ("cats/b_modified.png", "completed", 4),
            ("cats/c.gif", "completed", 4),
        ]
        assert pages(api, f"/jobs/{batch}/images?status=failed", "images") == []

    def test_only_a_batch_of_the_callers_own_has_them(self, api: Api, job_id: str, store: JobStore) -> None:
        assert api("GET", f"/jobs/{job_id}/images").status == 409
        mine = api.post(BATCH, {"prompt": "p"}, x_api_key="alice").body["job_id"]
        assert api("GET", f"/jobs/{mine}/images", x_api_key="bob").status == 404

    # Of another place in a line, beyond the report's end, of no form that there is, and of another job's edit.
    @pytest.mark.parametrize("cursor", ["3", "999999", "x", "k!", "kgA==", "kcmVzdWx0cy9iYXRjaC94L2EucG5n"])
    def test_a_cursor_that_no_answer_gave_is_refused(self, api: Api, batch: str, store: JobStore, cursor: str) -> None:
        self.report(store, batch, [{"status": "failed", "key": "a", "error": "x"}])

        self.refused(api("GET", f"/jobs/{batch}/images?cursor={cursor}"))

    def test_the_cursor_of_a_longer_batch_or_of_its_report_is_refused_by_another(
        self, api: Api, batch: str, store: JobStore
    ) -> None:
        other = api.post(BATCH, {"prompt": "p"}).body["job_id"]
        self.report(store, other, [{"status": "failed", "key": f"{n}.png", "error": "x"} for n in range(50)])
        cursor = api("GET", f"/jobs/{other}/images?limit=40").body["next"]

        self.refused(api("GET", f"/jobs/{batch}/images?cursor={cursor}"))  # which has no report yet
        self.report(store, batch, [{"status": "failed", "key": "a", "error": "x"}])
        self.refused(api("GET", f"/jobs/{batch}/images?cursor={cursor}"))

    def refused(self, answered: Answered) -> None:
        (problem,) = answered.body["detail"]
        assert (answered.status, problem["loc"]) == (422, ["query", "cursor"])
        assert problem["msg"] == "expected the `next` of an earlier answer to this request"
