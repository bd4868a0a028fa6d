"""Batches of folders as people have them, on S3 and on COS: odd names, leftovers, empty files, thousands of files."""

import json
from collections.abc import Container

import boto3
import pytest

from imagejobs.job_store import JobStore
from imagejobs.workflow import BatchSummary
from tests.integration.batch_fanout.conftest import (
    Configure,
    edited,
    failed,
    fill,
    invoke,
    listed,
    manifest_lines,
    record,
    report,
    summarize,
    summary_of,
    write_results,
)
from tests.integration.conftest import SECRETS
from tests.support.odd_names import LEFTOVERS, ODD_NAMES


@pytest.fixture(params=["S3", "COS"])
def storage(request: pytest.FixtureRequest, stack: dict[str, str], configure: Configure) -> None:
    """The buckets of the account, as S3's or as those of COS, to which every key travels by HTTP."""
    if request.param == "COS":
        keys = {"COS_ACCESS_KEY_ID": "cos-key", "COS_SECRET_ACCESS_KEY": "cos-secret"}
        boto3.client("secretsmanager").put_secret_value(
            SecretId=stack["SECRET_ARN"], SecretString=json.dumps(SECRETS | keys)
        )
        configure(COS_ENDPOINT=request.getfixturevalue("moto_server"))


def summarized(store: JobStore, broken: Container[str]) -> BatchSummary:
    """Let the map run edit every image of the manifest but the broken ones, and sum it up."""
    lines = manifest_lines(store)
    succeeded = [edited(line["at"]) for line in lines if line["key"] not in broken]
    summarize(write_results(store, succeeded, [failed(line["at"]) for line in lines if line["key"] in broken]))
    return summary_of(store)


def test_there_are_as_many_odd_names_as_promised() -> None:
    assert len(set(ODD_NAMES)) == len(ODD_NAMES) >= 24


@pytest.mark.usefixtures("storage")
def test_odd_names_are_listed_and_reported_as_they_are(store: JobStore) -> None:
    record(store)
    fill(*ODD_NAMES)

    assert invoke(action="list_images")["total_files"] == len(ODD_NAMES)
    assert listed(store) == sorted(ODD_NAMES, key=str.encode)

    broken = ODD_NAMES[::5]
    summary = summarized(store, broken)

    assert (summary.total_files, summary.failed) == (len(ODD_NAMES), len(broken))
    assert [row["key"] for row in report()] == listed(store)
    assert {row["key"] for row in report() if row["status"] == "failed"} == set(broken)
    assert [error.split(": Unsupported")[0] for error in summary.errors] == [
        key for key in listed(store) if key in broken
    ]


@pytest.mark.usefixtures("storage")
def test_leftovers_are_neither_images_nor_failures(store: JobStore) -> None:
    record(store, prefix="holidays", max_files=3)
    fill("holidays/", *(f"holidays/{name}" for name in (*LEFTOVERS, "a.png", "b.png", "sub/c.png", "z.png")))

    assert invoke(action="list_images")["total_files"] == 3
    assert listed(store) == ["holidays/a.png", "holidays/b.png", "holidays/sub/c.png"]


def test_a_folder_that_the_caller_names_is_read_whatever_its_name(store: JobStore) -> None:
    record(store, prefix="__MACOSX")
    fill("__MACOSX/a.png", "__MACOSX/._a.png")
    invoke(action="list_images")

    assert listed(store) == ["__MACOSX/a.png"]


@pytest.mark.usefixtures("storage")
def test_files_without_a_byte_are_listed_for_the_worker_to_refuse(store: JobStore) -> None:
    record(store)
    boto3.client("s3").put_object(Bucket="input", Key="empty.png", Body=b"")
    invoke(action="list_images")

    assert [(line["key"], line["size"]) for line in manifest_lines(store)] == [("empty.png", 0)]


@pytest.mark.usefixtures("storage")
def test_two_thousand_files_are_counted_and_reported_one_by_one(store: JobStore) -> None:
    record(store)
    names = sorted(f"{number:04}{suffix}.png" for number in range(1000) for suffix in (" é+%2B\n", " É+%2B\n"))
    fill(*names, *(f"{number}/.DS_Store" for number in range(50)))

    assert invoke(action="list_images")["total_files"] == 2000
    assert listed(store) == sorted(names, key=str.encode)

    broken = set(names[::100])
    summary = summarized(store, broken)

    assert (summary.total_files, summary.processed, summary.failed) == (2000, 1980, 20)
    assert [row["key"] for row in report()] == listed(store)
    assert {row["key"] for row in report() if row["status"] == "failed"} == broken
