"""The service's answers as the client's models."""

from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import BaseModel

from functions.accept.http import answers, list_answers
from imagejobs_client import EditOptions, Job
from imagejobs_client.models import Answer, BatchImage, JobSummary, Model, parse

JOB: dict[str, Any] = {
    "job_id": "3f2a",
    "operation": "batch",
    "status": "running",
    "created_at": "2026-11-25T12:00:00Z",
    "delivery": {"status": "not_requested", "attempts": 0},
}


def reading(done: int, as_of: int | None = None, status: str = "running") -> Job:
    """A batch of nine, read when `done` were done; `as_of` are seconds."""
    progress = {"total": 9, "succeeded": done, "failed": 0, "running": 1, "pending": 8 - done}
    told = {} if as_of is None else {"as_of": f"2026-11-25T12:00:{as_of:02}Z"}
    return parse(Job, {**JOB, "status": status, "progress": progress, **told})


def test_a_job_is_read_with_all_that_is_known_of_it() -> None:
    used = {"images": [{"engine": "openai", "model": "m", "images": 2, "cost_usd": 1}], "cost_usd": 1}
    result = {"status": "completed", "total_files": 2, "errors": ["a.png: X: y"]}
    job = parse(Job, {**JOB, "status": "completed", "usage": used, "result": result, "error": None})

    assert job.created_at == datetime(2026, 11, 25, 12, tzinfo=UTC)
    assert job.succeeded
    assert job.usage is not None
    assert (job.usage.cost_usd, job.usage.images[0].model) == (1, "m")
    assert job.result is not None
    assert job.result.errors == ("a.png: X: y",)


@pytest.mark.parametrize(
    ("told", "model"), [(answers.Job, Job), (list_answers.JobImage, BatchImage), (list_answers.ListedJob, JobSummary)]
)
def test_the_client_knows_each_field_that_the_service_tells(told: type[BaseModel], model: type[Answer]) -> None:
    assert set(told.model_fields) <= {one.name for one in fields(model)}


def test_a_single_job_says_who_made_its_picture() -> None:
    job = parse(Job, {**JOB, "engine": "local_fallback", "model": "invert", "ai_generated": False})

    assert (job.engine, job.model, job.ai_generated) == ("local_fallback", "invert", False)


def test_what_a_later_service_adds_breaks_nothing_and_is_kept() -> None:
    image = parse(BatchImage, {"file": "a.png", "status": "completed", "sharpness": 7})

    assert image.raw["sharpness"] == 7


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([], "expected an object"),
        ({"operation": "url"}, "missing"),
        ({**JOB, "job_id": 5}, "expected str, got int"),
        ({**JOB, "created_at": "yesterday"}, "Invalid isoformat"),
    ],
)
def test_an_answer_of_another_form_is_refused(answer: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse(Job, answer)


@pytest.mark.parametrize(
    ("later", "newer"),
    [
        (reading(5, as_of=9), True),
        (reading(5, as_of=7), False),
        (reading(3, as_of=8), False),
        (reading(5), True),
        (reading(3), False),
        (reading(0, as_of=1, status="completed"), True),
    ],
)
def test_a_reading_takes_the_earlier_ones_place_only_when_it_is_newer(later: Job, newer: bool) -> None:
    assert later.is_newer_than(reading(4, as_of=8)) is newer


def test_an_ended_job_never_runs_again() -> None:
    assert not reading(8, as_of=9).is_newer_than(reading(9, as_of=8, status="completed"))


def test_only_given_options_are_sent() -> None:
    assert EditOptions().to_json() == {}
    assert EditOptions(output_compression=0, reference_keys=("a",)).to_json() == {
        "output_compression": 0,
        "reference_keys": ("a",),
    }


def test_a_model_may_have_no_options_at_all() -> None:
    assert parse(Model, {"name": "m", "engine": "local"}).options == {}
