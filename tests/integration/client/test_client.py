"""The Python client: what it sends, and what it makes of the answers."""

import base64
from pathlib import Path
from typing import Any

import pytest

from imagejobs_client import (
    BatchImage,
    Client,
    EditOptions,
    JobFailedError,
    NotFoundError,
    StillRunningError,
    TransferError,
    UnauthorizedError,
    UnexpectedAnswerError,
    UnknownJobError,
    UnsupportedOptionError,
)
from imagejobs_client.connection import Connection
from tests.integration.client.conftest import KEY, under_way
from tests.support.image_jobs import EDITED, ImageJobsStandIn
from tests.support.pictures import picture

SINGLE, BATCH = "/process-image-async", "/batch-process-images"


def test_an_edit_is_posted_without_a_receiver_and_its_picture_given_back(
    client: Client, service: ImageJobsStandIn, tmp_path: Path
) -> None:
    (tmp_path / "été.png").write_bytes(picture())

    assert client.edit(tmp_path / "été.png", "make it winter", EditOptions(quality="high")) == EDITED
    (posted,) = service.posts(SINGLE)
    assert (posted.headers["Prefer"], posted.headers["X-Api-Key"]) == ("respond-async", KEY)
    assert posted.body == {
        "prompt": "make it winter",
        "filename": "été.png",
        "quality": "high",
        "image_base64": base64.b64encode(picture()).decode(),
    }


def test_a_picture_may_be_bytes_or_a_url_and_may_have_a_receiver(client: Client, service: ImageJobsStandIn) -> None:
    client.start_edit(
        picture(), "p", callback_url="https://receiver.example", progress_url="https://receiver.example/progress"
    )
    client.start_edit("https://pictures.example/a.png", "p")

    first, second = service.posts(SINGLE)
    assert first.headers["Callbackurl"] == "https://receiver.example"
    assert first.headers["Progressurl"] == "https://receiver.example/progress"
    assert "Prefer" not in first.headers
    assert "Progressurl" not in second.headers
    assert second.body == {"prompt": "p", "image_url": "https://pictures.example/a.png"}


def test_a_large_picture_is_uploaded_and_the_storage_never_sees_the_key(
    client: Client, service: ImageJobsStandIn
) -> None:
    large = picture().ljust(4_000_001, b"\0")
    sent: list[int] = []
    service.fail("POST", "/storage/", 503)

    client.start_edit(large, "p", filename="big.png", on_bytes=sent.append)

    (prepared,) = service.posts("/uploads")
    assert prepared.body == {"filename": "big.png", "content_type": "image/png", "size": len(large)}
    (posted,) = service.posts(SINGLE)
    assert service.stored[posted.body["image_key"]] == large
    assert sum(sent) == len(large)
    to_storage = [one for one in service.asked if one.path.startswith("/storage/")]
    assert len(to_storage) == 2
    assert all("X-Api-Key" not in one.headers for one in to_storage)


def test_a_service_with_a_lower_limit_gets_an_upload(client: Client, service: ImageJobsStandIn) -> None:
    service.fail("POST", SINGLE, 413, "over the limit")

    client.start_edit(picture(), "p")

    assert "image_key" in service.posts(SINGLE)[-1].body


@pytest.mark.parametrize("status", [0, 503, 429])
def test_a_post_that_is_repeated_is_one_job(client: Client, service: ImageJobsStandIn, status: int) -> None:
    service.fail("POST", SINGLE, status, times=2, Retry_After="1")

    client.start_edit(picture(), "p")

    assert len({one.headers["Idempotency-Key"] for one in service.posts(SINGLE)}) == 1
    assert len(service.posts(SINGLE)) == 3
    assert len(service.jobs) == 1


def test_a_batch_goes_up_in_calls_of_a_hundred_and_comes_down_into_its_folders(
    client: Client, service: ImageJobsStandIn, tmp_path: Path
) -> None:
    files = {}
    for number in range(120):
        path = tmp_path / f"{number}.png"
        path.write_bytes(picture(width=10 + number))
        files[f"sub {number % 2}/{number}.png"] = path
    service.broken_images = {"sub 0/4.png"}
    uploaded: list[str] = []

    folder = client.upload_folder(files, on_uploaded=uploaded.append)
    job = client.wait(client.start_batch(folder, "make it winter", max_cost_usd=5))
    saved = client.save_images(job.job_id, tmp_path / "results")

    assert [len(one.body["files"]) for one in service.posts("/uploads")] == [100, 20]
    assert [one.body.get("folder") for one in service.posts("/uploads")] == [None, folder]
    assert sorted(uploaded) == sorted(files)
    assert {name: service.stored[f"{folder}/{name}"] for name in files} == {
        name: path.read_bytes() for name, path in files.items()
    }
    assert service.posts(BATCH)[0].body == {"prompt": "make it winter", "folder": folder, "max_cost_usd": 5}
    assert job.status == "completed_with_errors"
    assert [one.image.file for one in saved if one.path is None] == ["sub 0/4.png"]
    assert (tmp_path / "results" / "sub 1" / "119.png").read_bytes() == EDITED
    assert len(list((tmp_path / "results").rglob("*"))) == 119 + 2, "no part of a download stays"


def test_results_are_fetched_page_by_page_and_an_expired_link_is_read_once_more(
    client: Client, service: ImageJobsStandIn, tmp_path: Path
) -> None:
    files = {f"{number}.png": tmp_path / "a.png" for number in range(101)}
    (tmp_path / "a.png").write_bytes(picture())
    job_id = client.start_batch(client.upload_folder(files), "p")
    service.asked.clear()
    service.fail("GET", "/storage/", 403, times=2)

    saved = client.save_images(job_id, tmp_path / "results", side_by_side=2)

    assert [one.image.file for one in saved] == list(files)
    assert all(one.path and one.path.read_bytes() == EDITED for one in saved)
    asked = [(one.path.split("/")[1], one.query.get("cursor")) for one in service.asked]
    last_page = len(asked) - 1 - asked[::-1].index(("jobs", "100"))
    assert asked.count(("jobs", None)) == 2 + 2, "the names, the results, and once more for each expired link"
    assert asked[:last_page].count(("storage", None)) == 102, "the last page's links are made when their turn comes"
    service.fail("GET", "/storage/", 403, times=4)
    with pytest.raises(TransferError, match="403"):
        client.save_images(job_id, tmp_path / "others", side_by_side=1)


def test_a_storage_without_forms_takes_a_put(client: Client, service: ImageJobsStandIn, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(picture())
    service.upload_method = "PUT"
    service.fail("PUT", "/storage/", 503)

    folder = client.upload_folder({"sub/é.png": tmp_path / "a.png"})

    assert service.stored == {f"{folder}/sub/é.png": picture()}
    sent = [one for one in service.asked if one.method == "PUT"]
    assert [one.headers["Content-Length"] for one in sent] == [str(len(picture()))] * 2


def test_an_option_that_the_service_would_pass_over_is_never_sent(client: Client, service: ImageJobsStandIn) -> None:
    """A service that does not know dry_run would edit, one that does not know folder would edit the whole bucket."""
    service.fields = {BATCH: ("prompt",), SINGLE: ("prompt", "image_base64")}

    with pytest.raises(UnsupportedOptionError, match="dry_run, folder"):
        client.start_batch("f", "p", dry_run=True)
    with pytest.raises(UnsupportedOptionError, match="model"):
        client.start_edit(picture(), "p", EditOptions(model="m"))
    assert service.posts(BATCH) == service.posts(SINGLE) == []


def test_watching_gives_each_newer_reading_and_never_an_older_one(client: Client, service: ImageJobsStandIn) -> None:
    done = [(0, 1), (4, 4), (2, 2), (4, 3), (6, 5)]

    def told(job: dict[str, Any], number: int) -> dict[str, Any]:
        if number >= len(done):
            return job
        succeeded, as_of = done[number]
        counts = {"total": 6, "succeeded": succeeded, "failed": 0, "running": 0, "pending": 6 - succeeded}
        return under_way(job, status="running", progress=counts, as_of=f"2026-11-25T12:00:0{as_of}Z")

    service.readings = told
    job_id = client.start_edit(picture(), "p")

    seen = list(client.watch(job_id, pause=0))

    assert [job.progress.done for job in seen if job.progress] == [0, 4, 6]
    assert seen[-1].succeeded
    waits = [one.headers.get("Prefer") for one in service.asked if one.path == f"/jobs/{job_id}"]
    assert waits == [None, *["wait=20"] * 5]


def test_a_job_that_takes_longer_than_one_waits_goes_on(client: Client, service: ImageJobsStandIn) -> None:
    service.readings = lambda job, _: under_way(job, status="running")

    with pytest.raises(StillRunningError) as late:
        client.edit(picture(), "p", timeout=0.1)
    assert late.value.job.status == "running"


def test_a_failed_job_says_why(client: Client, service: ImageJobsStandIn) -> None:
    error = "EngineRejectedError: the prompt was refused"
    service.readings = lambda job, _: under_way(job, status="failed", error=error)

    with pytest.raises(JobFailedError, match="the prompt was refused"):
        client.edit(picture(), "p")


def test_an_expired_link_is_replaced_by_a_fresh_one(client: Client, service: ImageJobsStandIn, tmp_path: Path) -> None:
    job = client.wait(client.start_edit(picture(), "p"))
    service.fail("GET", "/storage/", 403)

    assert client.save_result(job, tmp_path / "new" / "a.png") == len(EDITED)
    service.fail("GET", "/storage/", 403, times=2)
    with pytest.raises(TransferError, match="403"):
        client.save_result(job, tmp_path / "b.png")
    assert [path.name for path in tmp_path.rglob("*.p*")] == ["a.png"]


def test_jobs_are_found_listed_and_steered(client: Client, service: ImageJobsStandIn) -> None:
    ids = [client.start_edit(picture(), "p") for _ in range(3)]

    assert [job.job_id for job in client.jobs()] == ids[::-1]
    assert [job.job_id for job in client.jobs(limit=2)] == ids[:0:-1]
    assert list(client.jobs(operation="batch")) == []
    assert client.find_job_id(ids[0][:-1]) == ids[0]
    assert client.find_job_id("0" * 36) == "0" * 36
    for beginning in ("", "x"):
        with pytest.raises(UnknownJobError):
            client.find_job_id(beginning)
    client.cancel(ids[0])
    client.redeliver(ids[0])
    client.erase(ids[0])
    steered = [(one.method, one.path) for one in service.asked if one.method != "GET"][3:]
    assert steered == [
        ("DELETE", f"/jobs/{ids[0]}"),
        ("POST", f"/jobs/{ids[0]}/redeliver"),
        ("DELETE", f"/jobs/{ids[0]}/data"),
    ]
    with pytest.raises(NotFoundError):
        client.job("1" * 36)


def test_the_list_goes_over_many_pages(client: Client) -> None:
    ids = [client.start_edit(b"", "p") for _ in range(205)]

    assert [job.job_id for job in client.jobs()] == ids[::-1]
    assert len(list(client.jobs(limit=150))) == 150


def test_failed_images_are_edited_again_as_a_new_job(client: Client, service: ImageJobsStandIn, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(picture())
    service.broken_images = {"a.png"}
    job = client.wait(client.start_batch(client.upload_folder({"a.png": tmp_path / "a.png"}), "p"))
    (image,) = client.images(job.job_id)

    again = client.wait(client.retry(job.job_id))

    assert isinstance(image, BatchImage)
    assert (job.status, image.status, again.status) == ("completed_with_errors", "failed", "completed")
    assert "Idempotency-Key" in service.posts(f"/jobs/{job.job_id}/retry")[0].headers


def test_the_service_is_asked_about_itself(client: Client) -> None:
    model, other = client.models()

    assert client.health().ok
    assert client.checks()["jobs_bucket"].ms == 12
    assert client.storage()["output_bucket"] == "output"
    difference = client.clock_difference()
    assert difference is not None
    assert abs(difference.total_seconds()) < 30
    assert (model.default, model.options["quality"][0], other.needs) == (True, "low", ("mask",))


def test_a_wrong_key_and_a_wrong_address_are_told(service: ImageJobsStandIn) -> None:
    with (
        Client(Connection(address=service.base_url, api_key="another")) as stranger,
        pytest.raises(UnauthorizedError, match="API key"),
    ):
        stranger.models()
    with Client(Connection(address=f"{service.base_url}/elsewhere", api_key=KEY)) as lost, pytest.raises(NotFoundError):
        lost.health()


def test_an_answer_of_another_form_is_told(client: Client, service: ImageJobsStandIn) -> None:
    service.readings = lambda _job, _number: {"surprise": True}
    job_id = client.start_edit(picture(), "p")

    with pytest.raises(UnexpectedAnswerError, match="another form"):
        client.job(job_id)
