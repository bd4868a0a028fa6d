"""The task after a batch's map run: what became of the images."""

import boto3

from imagejobs.job_store import JobStore
from imagejobs.spent import put_spent
from imagejobs.usage import ModelUsage
from imagejobs.workflow import EditRequest
from tests.integration.batch_fanout.conftest import (
    child,
    edited,
    failed,
    fallen_back,
    record,
    report,
    summarize,
    summary_of,
    write_manifest,
    write_results,
)
from tests.support.jobs import JOB_ID


def keys_under(prefix: str) -> list[str]:
    return [entry["Key"] for entry in boto3.client("s3").list_objects_v2(Bucket="output", Prefix=prefix)["Contents"]]


PAID = {"model": "gpt-image-2.6-flare", "input_tokens": 323, "output_tokens": 439, "cost_usd": 0.015709}
FREE = {"model": "local", "input_tokens": 0, "output_tokens": 0, "cost_usd": 0}


class TestSummarizeBatch:
    def test_counts_errors_and_report(self, store: JobStore) -> None:
        record(store)
        at = write_manifest(store, ["a.png", "b.png", "c.txt", "d.png"])
        succeeded = [fallen_back(at["b.png"], **FREE), edited(at["a.png"], **PAID)]  # they come in any order
        counts = summarize(write_results(store, succeeded, [failed(at["c.txt"])]))

        # The errors name files, which the state machine does not see.
        assert counts == {"total_files": 4, "processed": 2, "failed": 2, "fallback_local": 1}
        assert summary_of(store).model_dump() == counts | {
            "errors": [
                "c.txt: UnsupportedImageError: cannot identify image",
                "d.png: NotProcessed: the map run ended without a result for this image",
                "b.png: OpenAI billing limit -> fallback local applied",
            ],
            "usage": [
                {"engine": "local_fallback", "images": 1, **FREE},
                {"engine": "openai", "images": 1, **PAID},
            ],
            "estimate": None,
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
            "ai_generated": True,
            "attempts": 1,
            "bytes_in": 10,
            "bytes_out": 20,
            "ms": 30,
            **PAID,
        }
        assert (report()[1]["ai_generated"], report()[1]["cost_usd"]) == (False, 0)

    def test_usage_is_added_up_by_model_with_what_was_paid_in_vain(self, store: JobStore) -> None:
        record(store)
        at = write_manifest(store, ["a.png", "b.png", "c.png", "d.png"])
        paid = {"model": "m", "input_tokens": 10, "output_tokens": 100, "cost_usd": 0.1}
        unpriced = {"model": "new", "input_tokens": 1, "output_tokens": 2}
        images = [edited(at["a.png"], **paid), edited(at["b.png"], **paid), edited(at["c.png"], **unpriced)]
        for attempt in (1, 2):
            request = EditRequest(job_id=JOB_ID, operation="batch", at=at["d.png"], retries=attempt - 1)
            put_spent(store.bucket, request, ModelUsage(engine="openai", **paid))
        summarize(write_results(store, images, [failed(at["d.png"])]))

        # The cost of the second is not known, and none is made up.
        assert [one.model_dump() for one in summary_of(store).usage] == [
            {"engine": "openai", "model": "m", "images": 2, "input_tokens": 40, "output_tokens": 400, "cost_usd": 0.4},
            {"engine": "openai", "images": 1, **unpriced, "cost_usd": None},
        ]

    def test_who_stood_in_is_told_and_the_local_one_alone_is_counted(self, store: JobStore) -> None:
        record(store)
        at = write_manifest(store, ["a.png", "b.png", "c.png"])
        chosen = edited(at["b.png"], engine="local_fallback")  # the job asked for it
        another = edited(at["c.png"], engine="openai", stands_in_for="local_fallback")
        counts = summarize(write_results(store, [fallen_back(at["a.png"]), chosen, another], []))

        assert counts["fallback_local"] == 1
        assert summary_of(store).errors == [
            "a.png: OpenAI billing limit -> fallback local applied",
            "c.png: the local engine billing limit -> fallback openai applied",
        ]

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
            store, [fallen_back(at[key]) for key in keys[:25]], [failed(at[key]) for key in keys[25:]]
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
