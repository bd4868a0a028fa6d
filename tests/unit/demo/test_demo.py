"""What the demo brings along and makes: its pictures, its jobs and its contact sheet."""

from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, features
from pillow_heif import from_pillow

from demo import contact_sheet
from demo.jobs import AT_THE_BILLING_LIMIT, OTHER_MODELS, DemoError, plan
from demo.outcomes import Outcome, table_of
from functions.process_image.fonts import font
from imagejobs.catalogue import find_model
from tests.support.pictures import picture

RED, BLUE = (200, 10, 10), (10, 10, 200)


def outcome(before: Path, **fields: object) -> Outcome:
    told = {"name": before.name, "job": "batch", "prompt": "winter", "seconds": 0.5, "engine": "openai"} | fields
    return Outcome(before=before, **told)  # type: ignore[arg-type]


def file(path: Path, colour: tuple[int, int, int] = RED, size: tuple[int, int] = (60, 40)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)
    return path


def test_the_demos_pictures_are_varied_images_of_three_formats_and_go_to_every_engine() -> None:
    jobs, left_out = plan(None, with_stand_ins=True)
    pictures = [one for job in jobs for one in job.pictures if one.name != "shopping-list.png"]

    formats = set()
    for one in pictures:
        with Image.open(one.path) as image:
            formats.add(image.format)
            assert len(image.convert("RGB").resize((96, 64)).getcolors(9999) or []) > 1000, one.name
    assert formats == {"JPEG", "PNG", "WEBP"}
    assert len({one.name for one in pictures}) == len(pictures) == 9
    assert {find_model(job.model).engine for job in jobs if job.model} == {"bedrock", "gemini"}
    assert left_out == {}


def test_one_picture_asks_the_stand_in_for_its_billing_limit_and_one_file_is_not_an_image() -> None:
    limit, list_of_things = plan(None, with_stand_ins=True)[0][-1].pictures[-2:]

    assert limit.name == AT_THE_BILLING_LIMIT
    with Image.open(limit.path) as image:
        assert image.info["fault"] == "billing_hard_limit"
        assert image.mode == "RGB"  # one with a palette is converted on its way to OpenAI, and loses its text
    with pytest.raises(OSError, match="cannot identify"):
        Image.open(list_of_things.path)


def test_without_stand_ins_the_billing_limit_and_the_other_engines_are_left_out() -> None:
    jobs = plan(None, with_stand_ins=False)[0]

    assert [job.title for job in jobs] == ["base64 job", "URL job", "batch"]
    assert not {job.model for job in jobs} & set(OTHER_MODELS)
    assert AT_THE_BILLING_LIMIT not in {one.name for one in jobs[-1].pictures}


def test_the_jobs_of_a_folder_have_its_pictures_alone(tmp_path: Path) -> None:
    file(tmp_path / "sub" / "a.png")
    from_pillow(Image.new("RGB", (64, 48))).save(tmp_path / "Zoë.heic")
    (tmp_path / ".hidden").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("not a picture")
    with (tmp_path / "huge.png").open("wb") as huge:
        huge.write(picture())
        huge.truncate(50_000_001)

    jobs, left_out = plan(tmp_path, with_stand_ins=True)

    assert {one.name for one in jobs[-1].pictures} == {"Zoë.heic", "sub/a.png"}
    assert {one.name for job in jobs for one in job.pictures} == {"Zoë.heic", "sub/a.png"}
    assert [len(job.pictures) for job in jobs] == [1, 1, 1, 1, 2]
    assert left_out == {"notes.txt": "not a picture", "huge.png": "over 50,000,000 bytes"}


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DemoError, match="is not a folder"):
        plan(tmp_path / "missing", with_stand_ins=True)
    (tmp_path / "notes.txt").write_text("not a picture")
    with pytest.raises(DemoError, match=r"holds no picture that can be sent \(notes.txt: not a picture\)"):
        plan(tmp_path, with_stand_ins=True)


def test_the_contact_sheet_shows_each_picture_before_and_after(tmp_path: Path) -> None:
    upright, wide, heic = BytesIO(), BytesIO(), tmp_path / "b.heic"
    Image.new("RGB", (40, 60), BLUE).save(upright, "PNG")
    Image.new("RGB", (60, 40), BLUE).save(wide, "PNG")
    from_pillow(Image.new("RGB", (96, 64), (250, 250, 0))).save(heic, quality=100)
    (tmp_path / "c.png").write_text("not an image")

    sheet = contact_sheet.draw(
        "title",
        "subtitle",
        [
            outcome(file(tmp_path / "a.png"), after=upright.getvalue()),
            outcome(heic, after=wide.getvalue(), engine="local_fallback"),
            outcome(tmp_path / "c.png", error="UnsupportedImageError: plain text"),
        ],
    )

    colours = {colour: count for count, colour in sheet.getcolors(1 << 24) or []}
    whole, corners = 372 * 248, 80
    assert whole - corners < colours[RED] < whole
    both = whole + 165 * 248  # an upright one keeps its shape
    assert both - corners < colours[BLUE] < both
    middle = sheet.getpixel((36 + 848 + 36 + 20 + 186, 128 + 20 + 124))
    assert isinstance(middle, tuple)
    assert all(abs(there - sent) < 8 for there, sent in zip(middle, (250, 250, 0), strict=True))  # the HEIC's before


def test_names_on_the_sheet_are_written_as_they_are_and_shortened_in_their_middle() -> None:
    assert features.check("freetype2")
    assert contact_sheet._fitting("cafe\u0301.jpg", 22, 372) == "café.jpg"
    long = contact_sheet._fitting(f"Łódź, {'sehr ' * 30}schön.jpg", 22, 372)
    assert (long[:6], long[-9:]) == ("Łódź, ", "schön.jpg")
    assert "…" in long
    boxes = bytes(font(22).getmask("\U000f0000"))
    assert not [letter for letter in "éßłøÅżñçλЖ" if bytes(font(22).getmask(letter)) == boxes]


def test_the_table_tells_model_and_cost_of_each_image(tmp_path: Path) -> None:
    table = table_of(
        [
            outcome(tmp_path / "a.png", model="gpt-image-2.6-flare", cost_usd=0.0342, stand_in=True, attempts=2),
            outcome(tmp_path / "b.png", engine="local_fallback", model="local", cost_usd=0.0),
            outcome(tmp_path / "c.png", error="RejectedError: no [bold]"),
        ]
    )

    told, costs = ([*table.columns[number].cells] for number in (2, 3))
    assert told == [
        "[green]edited by OpenAI stand-in, gpt-image-2.6-flare (attempt 2)[/]",
        "[yellow]billing limit: local fallback[/]",
        r"[red]failed: RejectedError: no \[bold][/]",
    ]
    assert (costs, table.columns[3].footer) == (["$0.0342", "$0", ""], "$0.0342")
