"""A batch of a folder as people have it: odd names, leftovers of systems and tools, a file without a byte."""

import json

import httpx2

from imagejobs.callbacks import BatchCallback
from local.stack import StackInfo
from tests.e2e.conftest import Service
from tests.support.odd_names import LEFTOVERS, ODD_NAMES
from tests.support.pictures import picture

FOLDER = "real folder"


def test_a_real_folder_is_edited_name_by_name(service: Service, stack: StackInfo) -> None:
    s3 = stack.images_client()
    # Each of a size of its own: the report tells by it which bytes were edited under which name.
    files = {f"{FOLDER}/{name}": picture(width=40 + number) for number, name in enumerate(ODD_NAMES)}
    empty = f"{FOLDER}/empty.png"
    others = {empty: b""} | {f"{FOLDER}/{name}": picture() for name in LEFTOVERS}
    for key, body in (files | others).items():
        s3.put_object(Bucket=stack.input_bucket, Key=key, Body=body)
    try:
        job_id = service.submit_batch(prefix=FOLDER)
        result = BatchCallback.model_validate(service.callback(job_id, timeout=180))
    finally:
        for key in files | others:
            s3.delete_object(Bucket=stack.input_bucket, Key=key)

    assert (result.status, result.total_files) == ("completed_with_errors", len(files) + 1)
    assert (result.processed, result.failed) == (len(files), 1)
    assert result.errors[0].startswith(f"{empty}: UnsupportedImageError: the file is empty")
    lines = httpx2.get(service.job(job_id)["result"]["report_url"]).text.split("\n")[:-1]
    report = {row["key"]: row for row in map(json.loads, lines)}
    assert list(report) == sorted([*files, empty], key=str.encode)
    for key, body in files.items():
        row, name = report[key], key.removeprefix(f"{FOLDER}/")
        assert (row["status"], row["bytes_in"]) == ("completed", len(body))
        assert row["output_key"] == f"{result.output_prefix}{FOLDER}/{name}_modified.png"
        edited = s3.get_object(Bucket=stack.output_bucket, Key=row["output_key"])["Body"].read()
        assert len(edited) == row["bytes_out"]
