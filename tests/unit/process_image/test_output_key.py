"""Where edits go: one key for each image of each job, and no two alike."""

import pytest

from imagejobs.job_request import JobRequest
from imagejobs.output_keys import output_key
from imagejobs.settings import StorageSettings

JOB = {
    "job_id": "j1",
    "prompt": "p",
    "callback_url": "https://r.example",
    "correlation_id": "c",
    "created_at": "2026-11-01T00:00:00Z",
}


def key_of(operation: str, media_type: str = "image/png", key: str = "", **fields: str) -> str:
    job = JobRequest.model_validate(JOB | {"operation": operation} | fields)
    settings = StorageSettings(cos_input_prefix="/photos/", cos_output_prefix="results/batch")
    return output_key(job, settings, media_type, key)


@pytest.mark.parametrize(
    ("filename", "stem"),
    [
        (None, "image"),
        ("", "image"),
        ("cat.jpg", "cat"),
        ("cat", "cat"),
        ("archive.tar.gz", "archive.tar"),
        ("my holiday (1).png", "my_holiday_1"),
        ("été à Paris.png", "été_à_Paris"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\cat.png", "cat"),
        ("..", "image"),
        ("/", "image"),
        ("???.png", "image"),
        ("a" * 300 + ".png", "a" * 100),
    ],
)
def test_a_url_jobs_key_has_the_files_stem(filename: str | None, stem: str) -> None:
    fields = {} if filename is None else {"filename": filename}
    assert key_of("url", **fields) == f"results/j1/{stem}_modified.png"


def test_the_extension_is_that_of_the_content() -> None:
    assert key_of("url", "image/jpeg", filename="cat.png") == "results/j1/cat_modified.jpg"
    assert key_of("url", "image/webp", filename="cat.png") == "results/j1/cat_modified.webp"


def test_a_base64_jobs_result_is_in_its_record() -> None:
    assert key_of("base64") == "jobs/j1/result"


def test_images_of_a_batch_never_overwrite_one_another() -> None:
    inputs = ["photos/a.png", "photos/a.jpg", "photos/sub/a.png", "photos/a", "photos/sub/photos/a.png"]

    keys = [key_of("batch", key=key) for key in inputs]

    assert keys == [
        "results/batch/j1/a.png_modified.png",
        "results/batch/j1/a.jpg_modified.png",
        "results/batch/j1/sub/a.png_modified.png",
        "results/batch/j1/a_modified.png",
        "results/batch/j1/sub/photos/a.png_modified.png",
    ]


def test_a_batch_may_choose_a_segment_and_a_folder() -> None:
    key = key_of("batch", key="photos/spring/a.png", prefix="spring/", output_prefix="week-9")

    assert key == "results/batch/week-9/j1/spring/a.png_modified.png"
