"""The task before a batch's map run: which images it edits."""

import json
from typing import Any

import boto3
import pytest

from imagejobs.callbacks import CANCELLED, failed_callback
from imagejobs.errors import BatchTooLargeError, StorageRejectedError
from imagejobs.job_store import JobStore
from imagejobs.output_keys import output_key
from imagejobs.settings import StorageSettings
from imagejobs.upload_folders import folder_prefix
from tests.integration.batch_fanout.conftest import (
    MANIFEST_KEY,
    Configure,
    fill,
    invoke,
    listed,
    manifest_lines,
    record,
)
from tests.support.batches import put_manifest
from tests.support.jobs import JOB_ID, job_request


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
        store.bucket.delete_all([MANIFEST_KEY])
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

    def test_of_a_batch_without_a_report_those_are_edited_again_that_have_no_edit(self, store: JobStore) -> None:
        record(store, job_id=self.EARLIER)
        put_manifest(store, self.EARLIER, ["a.png", "b.png", "c.png"])
        edit = f"results/batch/{self.EARLIER}/b.png_modified.jpg"
        boto3.client("s3").put_object(Bucket="output", Key=edit, Body=b"x")
        record(store, retry_of=self.EARLIER)

        assert invoke(action="list_images")["total_files"] == 2
        assert listed(store) == ["a.png", "c.png"]

    def test_what_an_ended_batch_made_after_its_report_is_not_paid_again(self, store: JobStore) -> None:
        failed = [{"key": key, "status": "failed", "error": "NotProcessed: x"} for key in ("a.png", "b.png")]
        self.earlier_report(store, *failed)
        put_manifest(store, self.EARLIER, ["a.png", "b.png"])
        store.decide(self.EARLIER, failed_callback(store.get_request(self.EARLIER), CANCELLED, StorageSettings()))
        late = f"results/batch/run-1/{self.EARLIER}/b.png_modified.png"
        boto3.client("s3").put_object(Bucket="output", Key=late, Body=b"x")
        record(store, retry_of=self.EARLIER)

        assert invoke(action="list_images")["total_files"] == 1
        assert listed(store) == ["a.png"]


class TestFolderOfUploads:
    FOLDER = "0b6f2c1e-0000-4000-8000-0000000000ff"

    def test_only_the_batch_that_names_it_reads_it(self, store: JobStore) -> None:
        mine, another = folder_prefix("key:1", self.FOLDER), folder_prefix("key:2", self.FOLDER)
        fill(f"{mine}sub/b.png", f"{mine}a.png", f"{mine}.DS_Store", f"{another}c.png", "d.png", "uploads/e.png")
        record(store, caller="key:1", folder=self.FOLDER)

        invoke(action="list_images")

        assert listed(store) == [f"{mine}a.png", f"{mine}sub/b.png"]

    @pytest.mark.parametrize("prefix", [None, "uploads", "image-jobs-uploads"])
    def test_no_other_batch_does(self, store: JobStore, prefix: str | None) -> None:
        owners = f"{prefix or 'uploads'}/e.png"
        fill(f"{folder_prefix('key:1', self.FOLDER)}a.png", owners)
        record(store, caller="key:1", prefix=prefix)

        invoke(action="list_images")

        assert listed(store) == [owners]

    def test_edits_keep_the_name_below_the_folder(self) -> None:
        job = job_request("batch", caller="key:1", folder=self.FOLDER)
        key = f"{folder_prefix('key:1', self.FOLDER)}sub/a.png"

        made = output_key(job, StorageSettings(cos_input_prefix="photos"), "image/png", key)

        assert made == f"results/batch/{job.job_id}/sub/a.png_modified.png"
