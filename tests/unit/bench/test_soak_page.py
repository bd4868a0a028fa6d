"""`make soak ARGUMENTS=--write`: the figures of the last soak in docs/reliability.md."""

from pathlib import Path

import pytest

from bench.soak import __main__ as soak
from bench.soak.verdict import Row


def test_the_figures_take_the_place_of_earlier_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "reliability.md"
    page.write_text(f"before\n{soak.BEGIN}old\n{soak.END}after\n")
    monkeypatch.setattr(soak, "PAGE", page)

    soak._write([Row("jobs accepted", 1000), Row("lost", 0, 0)], "`make soak`")

    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert "| jobs accepted | 1,000 |  |\n| lost | 0 | 0 |\n" in text


def test_the_page_has_a_place_for_them() -> None:
    before, begin, rest = soak.PAGE.read_text().partition(soak.BEGIN)

    assert before
    assert begin
    assert soak.END in rest
