"""The two tasks around a batch's map run, on real buckets (moto)."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends

from functions.batch_fanout import app
from functions.batch_fanout.settings import BatchFanoutSettings
from imagejobs.errors import BatchTooLargeError, StorageRejectedError
from imagejobs.job_store import JobRequest, JobStore
from imagejobs.resources import Resources
from imagejobs.workflow import BatchSummary
from tests.support.batches import put_manifest

JOB_ID = "11111111-2222-4333-8444-555555555555"
MANIFEST_KEY = f"jobs/{JOB_ID}/manifest.jsonl"


type Configure = Callable[..., None]


@pytest.fixture(autouse=True)
def configure(stack: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Configure:
    """The function's environment; a call changes some of it."""

    def configured(**variables: str) -> None:
        resources = Resources(BatchFanoutSettings.from_environment(stack | variables))
        monkeypatch.setattr(app, "resources", lambda: resources)

    configured()
    return configured


def record(store: JobStore, **choices: Any) -> None:
    store.create(
        JobRequest(
            operation="batch",
            prompt="p",
            callback_url="https://receiver.example/",
            correlation_id="trace",
            created_at=datetime.now(UTC),
            **{"job_id": JOB_ID, **choices},
        )
    )


def invoke(**event: Any) -> dict[str, Any]:
    context = SimpleNamespace(
        function_name="batch_fanout", memory_limit_in_mb=128, invoked_function_arn="arn", aws_request_id="id"
    )
    return app.handler({"job_id": JOB_ID, **event}, context)  # type: ignore[arg-type]


def fill(*keys: str) -> None:
    """Put objects of one byte into the input bucket: into moto itself, since requests for thousands take minutes."""
    account = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
    for key in keys:
        account.put_object("input", key, b"x")


def manifest_lines(store: JobStore) -> list[dict[str, Any]]:
    return [json.loads(line) for line in store.bucket.get(MANIFEST_KEY).body.decode().splitlines()]


def listed(store: JobStore) -> list[str]:
    return [line["key"] for line in manifest_lines(store)]


class TestListImages:
    def test_every_object_but_folders(self, store: JobStore) -> None:
        record(store)
        fill("a.png", "a.jpg", "sub/", "sub/a.png", "notes.txt", 'odd "name"\n\u2028.png')
        manifest = invoke(action="list_images")

        assert manifest == {
            "manifest_key": MANIFEST_KEY,
            "results_prefix": f"jobs/{JOB_ID}/map-runs",
            "total_files": 5,
        }
        assert listed(store) == ["a.jpg", "a.png", "notes.txt", 'odd "name"\n\u2028.png', "sub/a.png"]
        assert manifest_lines(store)[0] == {"at": 0, "key": "a.jpg", "size": 1}
        assert [store.manifest_line(JOB_ID, line["at"]).model_dump() for line in manifest_lines(store)] == (
            manifest_lines(store)
        )

    def test_empty_bucket(self, store: JobStore) -> None:
        record(store)

        assert invoke(action="list_images")["total_files"] == 0

    def test_more_than_one_page(self, store: JobStore) -> None:
        record(store)
        fill(*(f"{number:04}.png" for number in range(1050)))

        assert invoke(action="list_images")["total_files"] == 1050

    def test_more_images_than_the_owner_allows_are_refused_before_one_is_edited(
        self, store: JobStore, configure: Configure
    ) -> None:
        configure(MAX_BATCH_IMAGES="3")
        record(store)
        fill("1.png", "2.png", "3.png")
        assert invoke(action="list_images")["total_files"] == 3
        store.bucket.delete(MANIFEST_KEY)
        fill("4.png")

        with pytest.raises(BatchTooLargeError, match=r"more than 3 images.*max_files.*prefix.*MaxBatchImages"):
            invoke(action="list_images")
        assert store.bucket.find(MANIFEST_KEY) is None

    def test_max_files_bounds_before_the_owners_limit_does(self, store: JobStore, configure: Configure) -> None:
        configure(MAX_BATCH_IMAGES="3")
        record(store, max_files=3)
        fill("1.png", "2.png", "3.png", "4.png")

        assert invoke(action="list_images")["total_files"] == 3

    def test_choices_narrow_the_configured_prefix(self, store: JobStore, configure: Configure) -> None:
        configure(COS_INPUT_PREFIX="/photos")
        record(store, prefix="cats", max_files=2)
        fill("cats/outside.png", "photos/cats/1.png", "photos/cats/2.png", "photos/cats/3.png", "photos/catsup.png")

        assert invoke(action="list_images")["total_files"] == 2
        assert listed(store) == ["photos/cats/1.png", "photos/cats/2.png"]

    def test_earlier_results_are_no_images_to_edit(self, store: JobStore, configure: Configure) -> None:
        configure(COS_OUTPUT_BUCKET="input")
        record(store)
        fill("a.png", "results/batch/earlier-job/a.png_modified.png", f"results/{JOB_ID}/a_modified.png")
        invoke(action="list_images")

        assert listed(store) == ["a.png"]

    @pytest.mark.parametrize("variable", ["COS_INPUT_BUCKET", "COS_OUTPUT_BUCKET"])
    def test_missing_bucket_is_named(self, store: JobStore, configure: Configure, variable: str) -> None:
        configure(**{variable: "nowhere"})
        record(store)

        with pytest.raises(StorageRejectedError, match="nowhere"):
            invoke(action="list_images")


def child(at: int, **fields: Any) -> dict[str, Any]:
    """A child execution as ResultWriter writes it."""
    return {
        "ExecutionArn": "arn:aws:states:eu-central-1:123456789012:execution:image-job/EditEachImage:x",
        "Input": json.dumps({"job_id": JOB_ID, "operation": "batch", "at": at}),
        "InputDetails": {"Included": True},
        "Name": "x",
        "OutputDetails": {"Included": True},
        "RedriveCount": 0,
        "RedriveStatus": "NOT_REDRIVABLE",
        "StartDate": "2026-11-01T00:00:00.000Z",
        "StateMachineArn": "arn:aws:states:eu-central-1:123456789012:stateMachine:image-job/EditEachImage",
        "Status": "SUCCEEDED",
        "StopDate": "2026-11-01T00:00:01.000Z",
        **fields,
    }


def edited(at: int, engine: str = "openai") -> dict[str, Any]:
    output = {
        "status": "edited",
        "content_type": "image/png",
        "engine": engine,
        "attempts": 1,
        "bytes_in": 10,
        "bytes_out": 20,
        "ms": 30,
    }
    return child(at, Output=json.dumps(output))


def failed(at: int) -> dict[str, Any]:
    """As the state ImageFailed ends a child."""
    caught = {"errorMessage": "cannot identify image", "errorType": "UnsupportedImageError", "stackTrace": []}
    cause = {"cause": json.dumps(caught), "retries": 1, "earlier_attempts": 2}
    return child(at, Status="FAILED", Error="UnsupportedImageError", Cause=json.dumps(cause))


def write_results(store: JobStore, succeeded: list[dict[str, Any]], failures: list[dict[str, Any]]) -> dict[str, str]:
    prefix = f"jobs/{JOB_ID}/map-runs/run"
    files: dict[str, list[dict[str, Any]]] = {"FAILED": [], "PENDING": [], "SUCCEEDED": []}
    for status, children in (("SUCCEEDED", succeeded), ("FAILED", failures)):
        if children:
            body = "".join(json.dumps(child) + "\n" for child in children).encode()
            store.bucket.put(f"{prefix}/{status}_0.jsonl", body, "application/json")
            files[status].append({"Key": f"{prefix}/{status}_0.jsonl", "Size": len(body)})
    manifest = {"DestinationBucket": "jobs", "MapRunArn": "arn", "ResultFiles": files}
    store.bucket.put(f"{prefix}/manifest.json", json.dumps(manifest).encode(), "application/json")
    return {"Bucket": "jobs", "Key": f"{prefix}/manifest.json"}


def write_manifest(store: JobStore, keys: list[str]) -> dict[str, int]:
    return put_manifest(store, JOB_ID, keys)


def summarize(results: dict[str, str] | None) -> dict[str, Any]:
    return invoke(action="summarize_batch", manifest_key=MANIFEST_KEY, results=results)


def summary_of(store: JobStore) -> BatchSummary:
    found = store.find_summary(JOB_ID)
    assert found
    return found


def keys_under(prefix: str) -> list[str]:
    return [entry["Key"] for entry in boto3.client("s3").list_objects_v2(Bucket="output", Prefix=prefix)["Contents"]]


def report() -> list[dict[str, Any]]:
    key = f"results/batch/{JOB_ID}/report.jsonl"
    body = boto3.client("s3").get_object(Bucket="output", Key=key)["Body"].read().decode()
    return [json.loads(line) for line in body.splitlines()]


class TestSummarizeBatch:
    def test_counts_errors_and_report(self, store: JobStore) -> None:
        record(store)
        at = write_manifest(store, ["a.png", "b.png", "c.txt", "d.png"])
        succeeded = [edited(at["b.png"], "local_fallback"), edited(at["a.png"])]  # they come in any order
        counts = summarize(write_results(store, succeeded, [failed(at["c.txt"])]))

        # The errors name files, which the state machine does not see.
        assert counts == {"total_files": 4, "processed": 2, "failed": 2, "fallback_local": 1}
        assert summary_of(store).model_dump() == counts | {
            "errors": [
                "c.txt: UnsupportedImageError: cannot identify image",
                "d.png: NotProcessed: the map run ended without a result for this image",
                "b.png: OpenAI billing limit -> fallback local applied",
            ]
        }
        assert [(row["key"], row["status"]) for row in report()] == [
            ("a.png", "completed"),
            ("b.png", "completed"),
            ("c.txt", "failed"),
            ("d.png", "failed"),
        ]
        assert report()[0] == {
            "key": "a.png",
            "status": "completed",
            "output_key": f"results/batch/{JOB_ID}/a.png_modified.png",
            "engine": "openai",
            "attempts": 1,
            "bytes_in": 10,
            "bytes_out": 20,
            "ms": 30,
        }

    def test_a_failed_images_line(self, store: JobStore) -> None:
        record(store)
        at = write_manifest(store, ["a.png", "b.png", "c.png"])
        broken = child(at["b.png"], Status="FAILED", Error="States.Runtime", Cause='The JSONPath "$.x" finds nothing')
        summarize(write_results(store, [], [failed(at["a.png"]), broken]))

        assert report() == [
            {
                "key": "a.png",
                "status": "failed",
                "error": "UnsupportedImageError: cannot identify image",
                "attempts": 4,
                "bytes_in": 7,
                "ms": 1000,
            },
            {
                "key": "b.png",
                "status": "failed",
                "error": 'States.Runtime: The JSONPath "$.x" finds nothing',
                "bytes_in": 7,
                "ms": 1000,
            },
            {
                "key": "c.png",
                "status": "failed",
                "error": "NotProcessed: the map run ended without a result for this image",
                "bytes_in": 7,
            },
        ]

    def test_a_child_that_had_not_ended(self, store: JobStore) -> None:
        record(store)
        write_manifest(store, ["a.png"])
        summarize(write_results(store, [], [child(0, Status="PENDING", StopDate=None)]))

        assert report() == [{"key": "a.png", "status": "failed", "error": "PENDING", "bytes_in": 7}]

    def test_errors_are_bounded_failures_first(self, store: JobStore) -> None:
        record(store)
        keys = [f"{number:02}.png" for number in range(40)]
        at = write_manifest(store, keys)
        results = write_results(
            store, [edited(at[key], "local_fallback") for key in keys[:25]], [failed(at[key]) for key in keys[25:]]
        )
        summarize(results)
        errors = summary_of(store).errors

        assert len(errors) == 20
        assert all("UnsupportedImageError" in error for error in errors[:15])
        assert all("fallback local applied" in error for error in errors[15:])

    def test_empty_batch(self, store: JobStore) -> None:
        record(store)
        write_manifest(store, [])
        summary = summarize(None)

        assert (summary["total_files"], summary["processed"], summary["failed"]) == (0, 0, 0)
        assert report() == []

    def test_output_prefix_of_the_job(self, store: JobStore) -> None:
        record(store, output_prefix="run-1")
        write_manifest(store, [])

        summarize(None)

        assert keys_under("results/") == [f"results/batch/run-1/{JOB_ID}/report.jsonl"]


class TestRetry:
    EARLIER = "99999999-2222-4333-8444-555555555555"

    def earlier_report(self, store: JobStore, *rows: dict[str, Any]) -> None:
        record(store, job_id=self.EARLIER, output_prefix="run-1")
        body = "".join(json.dumps(row) + "\n" for row in rows)
        key = f"results/batch/run-1/{self.EARLIER}/report.jsonl"
        boto3.client("s3").put_object(Bucket="output", Key=key, Body=body.encode())

    def test_only_the_images_that_failed_before_are_edited_again(self, store: JobStore) -> None:
        odd = 'odd "name"\n\u2028.png'
        self.earlier_report(
            store,
            {"key": "a.png", "status": "completed", "output_key": "x", "engine": "openai", "bytes_in": 1},
            {"key": "b.png", "status": "failed", "error": "OpenAIRejectedError: no", "bytes_in": 7},
            {"key": odd, "status": "failed", "error": "NotProcessed: x"},
        )
        fill("a.png", "b.png", "new.png")
        record(store, retry_of=self.EARLIER)

        assert invoke(action="list_images")["total_files"] == 2
        assert [(line["key"], line["size"]) for line in manifest_lines(store)] == [("b.png", 7), (odd, 0)]

    def test_a_batch_without_a_report_cannot_be_repeated_in_part(self, store: JobStore) -> None:
        record(store, job_id=self.EARLIER)
        record(store, retry_of=self.EARLIER)

        with pytest.raises(StorageRejectedError, match="left no report"):
            invoke(action="list_images")
