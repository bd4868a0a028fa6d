"""The task after a batch's map run: what became of the images."""

import boto3

from imagejobs.job_store import JobStore
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


class TestSummarizeBatch:
    def test_counts_errors_and_report(self, store: JobStore) -> None:
        record(store)
        at = write_manifest(store, ["a.png", "b.png", "c.txt", "d.png"])
        succeeded = [fallen_back(at["b.png"]), edited(at["a.png"])]  # they come in any order
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
