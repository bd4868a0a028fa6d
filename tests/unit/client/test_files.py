"""Which files are sent, and where results go."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from imagejobs_cli.batching import find_pictures
from imagejobs_cli.contact_sheet import write_sheet
from imagejobs_client import BatchImage, Job, SavedImage, TransferError
from imagejobs_client.pictures import image_type, suffix_of
from imagejobs_client.results import local_names
from imagejobs_client.uploads import portions
from tests.support.pictures import picture


@pytest.mark.parametrize(
    ("file_format", "expected"),
    [
        ("PNG", "png"),
        ("JPEG", "jpeg"),
        ("WEBP", "webp"),
        ("GIF", "gif"),
        ("BMP", "bmp"),
        ("TIFF", "tiff"),
        ("AVIF", "avif"),
    ],
)
def test_a_picture_is_known_by_its_first_bytes(file_format: str, expected: str) -> None:
    assert image_type(picture(file_format=file_format)[:16]) == f"image/{expected}"


def test_heic_and_other_files_are_told_apart() -> None:
    assert image_type(b"\0\0\0\x18ftypheic\0\0\0\0") == "image/heic"
    assert image_type(b"\0\0\0\x18ftypmp42\0\0\0\0") is None
    assert image_type(b"%PDF-1.7") is None


def test_the_suffix_of_a_result() -> None:
    assert [suffix_of(one) for one in ("image/png", "image/jpeg", "image/webp", None)] == [
        ".png",
        ".jpg",
        ".webp",
        ".png",
    ]


# Names that the service refuses: over 255 characters; over 800 bytes.
DEEP = f"{'x' * 200}/{'y' * 60}.png"
LONG = "/".join(["🏖" * 60] * 4)


def test_names_as_phones_and_computers_give_them_are_sent(tmp_path: Path) -> None:
    """macOS writes U+202F before AM and PM, others U+00A0; an emoji may hold U+200D."""
    names = ["Screenshot 2026-11-26 at 9.41.00\u202fAM.png", "no\u00a0break.png", "👩\u200d🎨.png"]
    for name in names:
        (tmp_path / name).write_bytes(picture())

    files, left_out = find_pictures(tmp_path, tmp_path / "results")

    assert (sorted(files), left_out) == (sorted(names), {})


def test_only_pictures_of_a_folder_are_sent_and_the_others_are_told_with_a_reason(tmp_path: Path) -> None:
    for name in ("a.png", "sub/b.jpeg", "sub/@eaDir/c.png", ".hidden/d.png", "results/e.png", "Thumbs.db", ".DS_Store"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_bytes(picture())
    (tmp_path / "notes.png").write_text("no picture")
    (tmp_path / "empty.png").touch()
    (tmp_path / "huge.png").write_bytes(picture())
    with (tmp_path / "huge.png").open("r+b") as huge:
        huge.truncate(50_000_001)

    (tmp_path / "line\nbreak.png").write_bytes(picture())
    (tmp_path / os.fsdecode(b"latin-\xe9.png")).write_bytes(picture())
    for name in DEEP, LONG:
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_bytes(picture())

    files, left_out = find_pictures(tmp_path, tmp_path / "results")

    assert files == {name: tmp_path / name for name in ("a.png", "sub/b.jpeg")}
    assert {left_out.pop(name) for name in ("line\nbreak.png", os.fsdecode(b"latin-\xe9.png"))} == {
        "its name has control characters or is not UTF-8"
    }
    assert {left_out.pop(name) for name in (DEEP, LONG)} == {"its name has more than 255 characters or 800 bytes"}
    assert left_out == {"empty.png": "empty", "huge.png": "over 50,000,000 bytes", "notes.png": "not a picture"}


def test_forms_are_asked_for_so_few_at_once_that_none_expires_while_it_waits(tmp_path: Path) -> None:
    large = {f"{number}.png": tmp_path / f"{number}.png" for number in range(5)}
    for path in large.values():
        path.touch()
        os.truncate(path, 40_000_000)
    (tmp_path / "small.png").touch()
    small = {f"{number}": tmp_path / "small.png" for number in range(201)}

    assert [list(some) for some in portions(large)] == [["0.png", "1.png"], ["2.png", "3.png"], ["4.png"]]
    assert [len(some) for some in portions(small)] == [100, 100, 1]


def test_results_never_overwrite_one_another(tmp_path: Path) -> None:
    names = local_names(["a.png", "A.jpg", "a.png.jpg", "sub/a.png", "v1.2 final.webp", "none"], tmp_path)

    assert {file: path.relative_to(tmp_path).as_posix() for file, path in names.items()} == {
        "a.png.jpg": "a.png.jpg",
        "a.png": "a.png",
        "A.jpg": "A.jpg",
        "sub/a.png": "sub/a",
        "v1.2 final.webp": "v1.2 final",
        "none": "none",
    }


@pytest.mark.parametrize("name", ["../x.png", "sub/../../x.png", "..", "/", "", "outside/x.png"])
def test_a_name_of_the_service_never_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / "outside").symlink_to(tmp_path)

    with pytest.raises(TransferError, match="outside"):
        local_names([name], folder)
    assert local_names(["/etc/passwd.png"], folder)["/etc/passwd.png"] == folder / "etc" / "passwd"


def test_the_contact_sheet_shows_before_and_after_and_runs_nothing(tmp_path: Path) -> None:
    odd = '"><script>alert(1)</script> é.png'
    job = Job(job_id="3f2a", operation="batch", status="completed", created_at=datetime.now(UTC))
    saved = [
        SavedImage(BatchImage(file=odd, status="completed", model="m", cost_usd=0.02), tmp_path / "out" / "a#1 é.png"),
        SavedImage(BatchImage(file="b.png", status="failed", error="ImageError: <broken>")),
    ]

    page = write_sheet(
        tmp_path / "out" / "contact-sheet.html", job, saved, {odd: tmp_path / "in" / "a.png"}
    ).read_text()

    assert "<script" not in page
    assert '<img src="../in/a.png"' in page
    assert '<img src="a%231%20%C3%A9.png"' in page
    assert "ImageError: &lt;broken&gt;" in page
    assert "1 edited, 1 failed" in page
