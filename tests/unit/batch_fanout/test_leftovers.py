"""Which files of a real folder are none that someone wants edited."""

from pathlib import Path

import pytest

from functions.batch_fanout.leftovers import FILES, FOLDERS, PREFIX, SUFFIX, is_leftover

API_PAGE = Path(__file__).parents[3] / "docs" / "api.md"


@pytest.mark.parametrize(
    "path",
    [
        ".DS_Store",
        "holidays/.DS_Store",
        "._beach.jpg",
        "holidays/._beach.jpg",
        "__MACOSX/beach.jpg",
        "holidays/__MACOSX/deeper/beach.jpg",
        "Icon\r",
        "Thumbs.db",
        "THUMBS.DB",
        "holidays/ehthumbs.db",
        "Desktop.ini",
        "$RECYCLE.BIN/S-1-5/beach.jpg",
        "@eaDir/beach.jpg/SYNOPHOTO_THUMB_XL.jpg",
        "holidays_$folder$",
        "2026/holidays_$folder$",
    ],
)
def test_a_leftover_is_told_by_its_path(path: str) -> None:
    assert is_leftover(path)


@pytest.mark.parametrize(
    "path",
    [
        "beach.jpg",
        "DS_Store",
        "my.DS_Store",
        "Thumbs.db.png",
        "thumbs/beach.jpg",
        ".hidden.png",
        "_beach.jpg",
        "a._b.png",
        "__MACOSX",
        "__MACOSX.png",
        "my__MACOSX/beach.jpg",
        "_$folder$.png",
        "notes.txt",
        "",
    ],
)
def test_another_file_is_not(path: str) -> None:
    assert not is_leftover(path)


def test_the_documentation_names_them_all() -> None:
    page = API_PAGE.read_text().lower()

    for name in (*FILES, *FOLDERS, PREFIX, SUFFIX):
        assert f"`{name}`".replace("\r", "\\r") in page
