"""What the demo brings along and makes: its pictures, its jobs and its contact sheet."""

from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from demo import contact_sheet, run
from demo.outcomes import Outcome
from demo.run import AT_THE_BILLING_LIMIT, DemoError


def png(colour: tuple[int, int, int], size: tuple[int, int] = (60, 40)) -> bytes:
    out = BytesIO()
    Image.new("RGB", size, colour).save(out, "PNG")
    return out.getvalue()


def test_the_demos_pictures_are_varied_images_of_three_formats() -> None:
    single, link, batch = run._jobs(None, with_billing_limit=False)
    pictures = [*single.pictures, *link.pictures, *batch.pictures[:-1]]

    formats = set()
    for picture in pictures:
        with Image.open(BytesIO(picture.content)) as image:
            formats.add(image.format)
            assert len(image.convert("RGB").resize((96, 64)).getcolors(9999) or []) > 1000, picture.name
    assert formats == {"JPEG", "PNG", "WEBP"}
    assert len({picture.name for picture in pictures}) == 8


def test_one_picture_asks_the_stand_in_for_its_billing_limit_and_one_file_is_not_an_image() -> None:
    limit, list_of_things = run._jobs(None, with_billing_limit=True)[-1].pictures[-2:]

    assert limit.name == AT_THE_BILLING_LIMIT
    with Image.open(BytesIO(limit.content)) as image:
        assert image.info["fault"] == "billing_hard_limit"
        assert image.mode == "RGB"  # one with a palette is converted on its way to OpenAI, and loses its text
    with pytest.raises(OSError, match="cannot identify"):
        Image.open(BytesIO(list_of_things.content))


@pytest.mark.parametrize("with_limit", [True, False])
def test_the_jobs_of_a_folder(tmp_path: Path, with_limit: bool) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.png").write_bytes(png((1, 2, 3)))
    (tmp_path / ".hidden").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("not a picture")

    single, link, batch = run._jobs(tmp_path, with_billing_limit=with_limit)

    assert [job.pictures[0].name for job in (single, link)] == ["sub/a.png", "sub/a.png"]
    expected = ["notes.txt", "sub/a.png", *(["balloons.png"] if with_limit else []), "shopping-list.png"]
    assert [picture.name for picture in batch.pictures] == expected


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DemoError, match="is not a folder"):
        run._jobs(tmp_path / "missing", with_billing_limit=True)
    with pytest.raises(DemoError, match="holds no files"):
        run._jobs(tmp_path, with_billing_limit=True)
    (tmp_path / "notes.txt").write_text("not a picture")
    with pytest.raises(DemoError, match="holds no picture below 4,000,000 bytes"):
        run._jobs(tmp_path, with_billing_limit=True)


def test_the_contact_sheet_shows_each_picture_before_and_after() -> None:
    red, blue = (200, 10, 10), (10, 10, 200)
    outcomes = [
        Outcome("a.png", "batch", 0.5, "", png(red), png(blue, (40, 60))),
        Outcome("b.png", "batch", 0, "UnsupportedImageError: plain text", None, None),
        Outcome("c.png", "batch", 0.1, "", png(red), png(blue), fell_back=True),
    ]

    sheet = contact_sheet.draw("title", "subtitle", outcomes)

    colours = {colour: count for count, colour in sheet.getcolors(1 << 24) or []}
    assert colours[red] == 2 * 372 * 248
    assert colours[blue] == 372 * 248 + 165 * 248  # an upright one keeps its shape
    assert sheet.height > sheet.width / 2
