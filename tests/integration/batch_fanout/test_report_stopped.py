"""The report of a batch whose execution was ended before its map run was."""

from typing import Any

import boto3
import pytest

from functions.batch_fanout import stopped
from imagejobs.callbacks import CANCELLED, failed_callback
from imagejobs.job_store import JobStore
from imagejobs.settings import StorageSettings
from imagejobs.spent import put_spent
from imagejobs.storage import Bucket
from imagejobs.usage import ModelUsage
from imagejobs.workflow import EditedImage, EditRequest
from tests.integration.batch_fanout.conftest import invoke, record, report, summary_of, write_manifest
from tests.support.jobs import JOB_ID, job_request

RETRY = "99999999-2222-4333-8444-555555555555"
PREFIX = f"results/batch/{JOB_ID}"


def keep_edit(key: str, engine: str, content_type: str = "image/png", **took: Any) -> None:
    """Keep an edit as process_image does."""
    edited = EditedImage.model_validate(
        {
            "content_type": content_type,
            "engine": engine,
            "attempts": 1,
            "bytes_in": 5,
            "bytes_out": 4,
            "ms": 30,
            "note": "scaled",
            **took,
        }
    )
    Bucket(boto3.client("s3"), "output").put(key, b"edit", content_type, metadata=edited.metadata())


def test_it_tells_what_was_made_and_what_was_not(store: JobStore) -> None:
    record(store)
    write_manifest(store, ["a.png", "b.png", "sub/c.jpg"])
    keep_edit(f"{PREFIX}/sub/c.jpg_modified.jpg", "openai", "image/jpeg")
    keep_edit(f"{PREFIX}/a.png_modified.png", "local_fallback")

    assert invoke(action="report_stopped") == {"total_files": 3, "processed": 2}

    told = {"bytes_in": 5, "bytes_out": 4, "ms": 30, "note": "scaled", "status": "completed"}
    assert report() == [
        {
            "key": "a.png",
            "output_key": f"{PREFIX}/a.png_modified.png",
            "engine": "local_fallback",
            "ai_generated": False,
        }
        | told,
        {"key": "b.png", "status": "failed", "error": stopped.NOT_PROCESSED, "bytes_in": 7},
        {"key": "sub/c.jpg", "output_key": f"{PREFIX}/sub/c.jpg_modified.jpg", "engine": "openai", "ai_generated": True}
        | told,
    ]


def test_its_summary_has_what_was_made_and_what_was_paid_in_vain(store: JobStore) -> None:
    record(store)
    write_manifest(store, ["a.png", "b.png", "c.png"])
    took: dict[str, Any] = {"model": "m", "input_tokens": 10, "output_tokens": 20, "cost_usd": 0.5}
    keep_edit(f"{PREFIX}/a.png_modified.png", "openai", **took)
    keep_edit(f"{PREFIX}/b.png_modified.png", "openai", **took)
    vain = ModelUsage(engine="openai", model="m", output_tokens=5, cost_usd=0.25)
    put_spent(store.bucket, EditRequest(job_id=JOB_ID, operation="batch", at=0), vain)

    invoke(action="report_stopped")

    (used,) = summary_of(store).usage
    assert used == ModelUsage(engine="openai", model="m", images=2, input_tokens=20, output_tokens=45, cost_usd=1.25)


def test_a_very_large_batch_is_told_by_keys_and_sizes(store: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopped, "MAX_LOOKED_AT", 0)
    record(store)
    write_manifest(store, ["a.png"])
    keep_edit(f"{PREFIX}/a.png_modified.png", "openai")

    invoke(action="report_stopped")

    output_key = f"{PREFIX}/a.png_modified.png"
    assert report() == [
        {"key": "a.png", "output_key": output_key, "status": "completed", "bytes_in": 7, "bytes_out": 4}
    ]
    assert store.find_summary(JOB_ID) is None  # sums without the edits' own figures would be too low


def test_a_report_that_was_written_before_stays_and_a_batch_without_a_manifest_has_none(store: JobStore) -> None:
    record(store)
    assert invoke(action="report_stopped") == {"total_files": 0, "processed": 0}
    outputs = Bucket(boto3.client("s3"), "output")
    assert outputs.find(f"{PREFIX}/report.jsonl") is None

    write_manifest(store, ["a.png"])
    outputs.put(f"{PREFIX}/report.jsonl", b'{"key":"whole"}\n', "application/jsonl")

    assert invoke(action="report_stopped") == {"total_files": 0, "processed": 0}
    assert report() == [{"key": "whole"}]


def test_an_image_whose_key_is_too_long_for_its_result_takes_neither_the_report_nor_the_retry(store: JobStore) -> None:
    too_long = f"{'x' * 1000}.png"
    record(store)
    write_manifest(store, [too_long, "y.png"])
    keep_edit(f"{PREFIX}/y.png_modified.png", "openai")

    assert invoke(action="report_stopped") == {"total_files": 2, "processed": 1}
    assert [(line["key"], line["status"]) for line in report()] == [(too_long, "failed"), ("y.png", "completed")]

    store.create(job_request("batch", job_id=RETRY, retry_of=JOB_ID))
    store.decide(JOB_ID, failed_callback(store.get_request(JOB_ID), CANCELLED, StorageSettings()))
    assert invoke(action="list_images", job_id=RETRY)["total_files"] == 1
