"""docs/openapi.json and the route table of docs/api.md, held to the code."""

from pathlib import Path

import pytest

from tools import document


def test_committed_document_is_what_the_code_makes() -> None:
    assert document.OPENAPI.read_text() == document.openapi(), "stale: run `make docs`"


def test_route_table_of_the_api_page_is_what_the_code_makes() -> None:
    assert document.PAGE.read_text() == document.page(), "stale: run `make docs`"


def test_a_stale_document_fails_the_check_and_writing_mends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAPI", "PAGE"):
        path = tmp_path / getattr(document, name).name
        path.write_text(getattr(document, name).read_text().replace("/uploads", "/elsewhere"))
        monkeypatch.setattr(document, name, path)

    with pytest.raises(SystemExit, match="stale: run `make docs`"):
        document.main("check")
    document.main("write")
    document.main("check")
