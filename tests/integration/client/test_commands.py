"""The command line: what each command writes, where, and with which exit code it ends."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from imagejobs_cli.app import app
from tests.integration.client.conftest import KEY, under_way
from tests.support.image_jobs import EDITED, ImageJobsStandIn
from tests.support.pictures import picture


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What a script reads."""
        return json.loads(self.out)


type Run = Callable[..., Ran]


@pytest.fixture
def run(environment: dict[str, str]) -> Run:
    """Runs a command in this process."""

    def ran(*arguments: str, stdin: str | bytes = "") -> Ran:
        result = CliRunner().invoke(app, arguments, input=stdin)
        return Ran(result.exit_code, result.stdout, result.stderr)

    return ran


def test_an_edited_picture_is_a_file_beside_you(run: Run, folder: Path) -> None:
    done = run("edit", "holiday/a.png", "make it winter")

    assert (done.code, done.out) == (0, "✓ a-edited.png\n")
    assert Path("a-edited.png").read_bytes() == EDITED


def test_edit_takes_a_name_options_and_pictures_to_go_by(run: Run, folder: Path, service: ImageJobsStandIn) -> None:
    options = ["--model", "m", "--quality", "high", "--mask", "holiday/b.png", "--reference", "holiday/sub/é.png"]
    done = run("edit", "holiday/a.png", "p", "--out", "new.webp", "--json", *options)

    assert done.code == 0, done.err
    assert done.json["path"] == "new.webp"
    assert done.json["job"]["status"] == "completed"
    (posted,) = service.posts("/process-image-async")
    assert {name: posted.body[name] for name in ("model", "quality", "output_format")} == {
        "model": "m",
        "quality": "high",
        "output_format": "webp",
    }
    assert {posted.body["mask_key"], *posted.body["reference_keys"]} <= set(service.stored)
    assert "not webp" in done.err.replace("\n", " "), "this service answered PNG nevertheless"


def test_a_batch_brings_results_a_contact_sheet_and_a_table(run: Run, folder: Path, service: ImageJobsStandIn) -> None:
    service.broken_images = {"b.png"}
    done = run("batch", "holiday", "make it winter", "--out", "new", "--max-cost", "2.5", "--mask", "holiday/a.png")

    assert done.code == 7, done.err
    assert "note: left out: notes.txt (not a picture)" in done.err
    assert "✗ b.png\n  EngineRejectedError: the prompt was refused\n" in done.out
    assert "2 edited · 1 failed · in 6.5 s · about $0.0400" in done.out
    assert "new/sub/é.png" in done.out
    assert sorted(path.name for path in Path("new").rglob("*.*")) == ["a.png", "contact-sheet.html", "é.png"]
    assert "../holiday/sub/%C3%A9.png" in Path("new/contact-sheet.html").read_text()
    assert service.posts("/batch-process-images")[0].body["max_cost_usd"] == 2.5
    assert service.stored[service.posts("/batch-process-images")[0].body["mask_key"]] == picture()

    (job_id,) = service.jobs
    again = run("retry", job_id[:8], "--out", "new", "--json")
    assert (again.code, again.json["job"]["status"]) == (0, "completed")
    assert Path("new/b.png").read_bytes() == EDITED
    assert len(list(Path("new").glob("contact-sheet*.html"))) == 2


def test_no_file_that_was_there_before_is_overwritten(run: Run, folder: Path) -> None:
    """Neither another folder's original nor a picture whose name is the completed --out."""
    original = picture()
    done = run("batch", "holiday/sub", "p", "--out", "holiday", "--json")
    (folder / "é-2.png").write_text("mine")
    (folder / "é.png").write_bytes(original)
    (job,) = run("jobs", "--json").json["jobs"]
    again = run("watch", job["job_id"], "--out", "holiday", "--json")
    same = run("watch", job["job_id"], "--out", "holiday", "--json")
    single = run("edit", "holiday/a.png", "p", "--out", "holiday/a", "--json")

    assert (done.code, again.code, same.code, single.code) == (0, 0, 0, 0)
    assert done.json["images"][0]["path"] == "holiday/é.png"
    assert again.json["images"][0]["path"] == same.json["images"][0]["path"] == "holiday/é-3.png"
    assert single.json["path"] == "holiday/a-2.png"
    assert [(folder / name).read_bytes() for name in ("a.png", "é.png", "é-2.png", "é-3.png", "a-2.png")] == [
        original,
        original,
        b"mine",
        EDITED,
        EDITED,
    ]
    assert not list(folder.glob(".*.part"))


def test_a_batch_is_told_to_scripts_as_json(run: Run, folder: Path) -> None:
    done = run("batch", "holiday", "p", "--json")

    assert done.code == 0
    assert done.json["skipped"] == {"notes.txt": "not a picture"}
    assert {one["file"]: one["path"] for one in done.json["images"]}["sub/é.png"] == "results/sub/é.png"
    assert "signature" not in done.out, "links that expire are of no use to a script"


def test_a_dry_run_edits_nothing(run: Run, folder: Path, service: ImageJobsStandIn) -> None:
    done = run("batch", "holiday", "p", "--dry-run")

    assert (done.code, done.out) == (
        0,
        "dry run: 3 images would be edited for about $0.0600. Nothing was edited or paid\n",
    )
    assert service.posts("/batch-process-images")[0].body["dry_run"] is True
    assert not Path("results").exists()
    assert "3 images for about $0.0600" in run("show", next(iter(service.jobs))).out


def test_jobs_are_listed_shown_watched_and_steered(run: Run, service: ImageJobsStandIn, folder: Path) -> None:
    single = run("edit", "holiday/a.png", "p", "--no-wait").out.strip()
    batch = run("batch", "holiday", "p", "--no-wait", "--json").json["job_id"]

    assert [job["job_id"] for job in run("jobs", "--json").json["jobs"]] == [batch, single]
    assert [line.split()[:3] for line in run("jobs").out.splitlines() if "ago" in line] == [
        [batch[:8], "batch", "completed"],
        [single[:8], "url", "completed"],
    ]
    assert run("show", batch[:8], "--json").json["usage"]["cost_usd"] == 0.04
    shown = run("show", batch[:8]).out
    assert all(part in shown for part in (batch, "3 by gpt-image-2.6-flare", "about $0.0400", "none was asked for"))
    assert "result" not in shown, "nothing was fetched"
    assert run("watch", single, "--out", "fetched").code == 0
    assert Path("fetched.png").read_bytes() == EDITED
    assert "is cancelled" in run("cancel", single).out
    assert run("redeliver", single, "--json").json == {"job_id": single, "accepted": True}


def test_a_large_upload_is_told_once_with_its_unit(run: Run, folder: Path) -> None:
    (folder / "large.png").write_bytes(picture() + bytes(4_400_000))
    done = run("edit", "holiday/large.png", "p")

    assert done.code == 0, done.err
    assert [line for line in done.err.splitlines() if "uploading" in line] == ["uploading: 4.4 MB of 4.4 MB"]


def test_models_are_listed(run: Run) -> None:
    shown = run("models").out
    assert "gpt-image-2.6-flare · openai (default)" in shown
    assert "--format png, webp" in " ".join(shown.split())
    assert "$5 text in" in shown
    assert len(run("models", "--json").json["models"]) == 2


def test_the_doctor_finds_a_sound_service_sound(run: Run) -> None:
    done = run("doctor")

    assert done.code == 0, done.out
    assert [line.split()[:2] for line in done.out.splitlines()] == [
        ["✓", name] for name in ("address", "key", "health", "clock", "access", "jobs_bucket")
    ]
    assert KEY not in done.out


def test_the_doctor_finds_that_an_open_service_asks_for_no_key(
    run: Run, service: ImageJobsStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.api_key = ""
    monkeypatch.delenv("IMAGEJOBS_API_KEY")
    assert "✓ key            none: this service asks for none" in run("doctor").out

    service.fail("GET", "/health", 404)
    assert [line.split()[:2] for line in run("doctor").out.splitlines()] == [["✓", "address"], ["✗", "health"]]


def test_the_service_may_be_named_before_the_command(
    run: Run, service: ImageJobsStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("IMAGEJOBS_ADDRESS")

    assert run("--address", service.base_url, "--json", "doctor").json["ok"] is True
    assert run("--address", "nowhere", "doctor", "--address", service.base_url).code == 0


@pytest.mark.parametrize(
    ("variable", "value", "line", "code"),
    [
        ("IMAGEJOBS_API_KEY", "wrong", "✗ access         the API key is missing or wrong", 4),
        ("IMAGEJOBS_ADDRESS", "nowhere", "✗ address        expected an address such as", 4),
    ],
)
def test_the_doctor_says_what_is_wrong(
    run: Run, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, line: str, code: int
) -> None:
    monkeypatch.setenv(variable, value)
    done = run("doctor")

    assert done.code == code
    assert line in done.out


def failing(status: str) -> Callable[[dict[str, Any], int], dict[str, Any]]:
    return lambda job, _: under_way(job, status=status, error="EngineRejectedError: refused")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["edit", "missing.png", "p"], 2, "there is no file missing.png"),
        (["batch", "holiday/empty", "p"], 2, "there is no picture in holiday/empty"),
        (["edit", "holiday/a.png", "p", "--out", "holiday/a.png"], 2, "would overwrite holiday/a.png"),
        (["batch", "holiday", "p", "--out", "holiday/sub/.."], 2, "would lie among the pictures of holiday"),
        (["show", "abc"], 5, "an id that begins with 'abc'"),
        (["edit", "holiday/a.png", "p", "--address", "http://example.com"], 4, "no key is sent"),
        (["edit", "holiday/a.png", "p", "--background", "opaque"], 5, "does not know background"),
        (["edit", "holiday/a.png", "p", "--key-file", "missing"], 4, "the key cannot be read"),
    ],
)
def test_each_failure_has_its_exit_code_and_message(
    run: Run, folder: Path, arguments: list[str], code: int, message: str
) -> None:
    (folder / "empty").mkdir()
    done = run(*arguments)

    assert (done.code, done.out) == (code, "")
    assert message in done.err.replace("\n", " ")


@pytest.mark.parametrize(("status", "code"), [("failed", 6), ("cancelled", 6)])
def test_a_job_that_fails_has_its_exit_code(
    run: Run, service: ImageJobsStandIn, folder: Path, status: str, code: int
) -> None:
    service.readings = failing(status)
    done = run("edit", "holiday/a.png", "p", "--json")

    assert done.code == code
    assert done.json["job"]["status"] == status
    assert f"ended as {status}: EngineRejectedError: refused" in done.err.replace("\n", " ")


def test_a_job_that_is_late_goes_on_and_is_told(run: Run, service: ImageJobsStandIn, folder: Path) -> None:
    service.readings = lambda job, _: under_way(job, status="running")
    done = run("edit", "holiday/a.png", "p", "--timeout", "1")

    (job_id,) = service.jobs
    assert done.code == 8
    assert f"imagejobs watch {job_id}" in done.err


def test_a_repeated_command_with_one_key_is_one_job(run: Run, service: ImageJobsStandIn, folder: Path) -> None:
    ids = {run("edit", "holiday/a.png", "p", "--no-wait", "--idempotency-key", "k").out for _ in range(2)}

    assert len(ids) == len(service.jobs) == 1


def test_a_repeated_batch_with_one_key_is_the_same_request_until_a_picture_changes(
    run: Run, service: ImageJobsStandIn, folder: Path
) -> None:
    command = ["batch", "holiday", "p", "--no-wait", "--idempotency-key", "k"]
    ids = {run(*command).out for _ in range(2)}
    (folder / "a.png").write_bytes(picture(width=99))
    run(*command)

    first, second, third = (one.body for one in service.posts("/batch-process-images"))
    assert len(ids) == 1
    assert first == second != third, "the first job's pictures stay as they are"


@pytest.mark.parametrize("arguments", [["--key-file", "-"], ["--key-file", "key.txt"]])
def test_the_key_comes_from_a_file_or_stdin(run: Run, monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    monkeypatch.setenv("IMAGEJOBS_API_KEY", "wrong")
    Path("key.txt").write_text(f"{KEY}\n")

    assert run("models", *arguments, stdin=f"{KEY}\n").code == 0
