import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from wxo import generate

URL = "https://abc123.execute-api.eu-central-1.amazonaws.com/v1"


@pytest.fixture
def app() -> typer.Typer:
    made = typer.Typer()
    made.command()(generate.main)
    return made


@pytest.mark.parametrize("url", [URL, f"{URL}/", f"  {URL}// "])
def test_url_is_written_without_a_slash_at_its_end(url: str) -> None:
    assert generate.checked_url(url) == URL


@pytest.mark.parametrize(
    "url", ["", "abc123.execute-api", "ftp://host/v1", "https://", "https://{stage}.host", f"{URL}?x=1", f"{URL}#x"]
)
def test_what_wxo_does_not_take_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="is not the URL of an API"):
        generate.checked_url(url)


@pytest.mark.parametrize(
    ("options", "security"),
    [
        ([], [{"apiKey": []}]),
        (["--access", "api-key"], [{"apiKey": []}]),
        (["--access", "jwt"], [{"bearer": []}]),
        (["--access", "open"], None),
    ],
)
def test_document_is_written(
    tmp_path: Path, app: typer.Typer, options: list[str], security: list[dict[str, list[str]]] | None
) -> None:
    output = tmp_path / "openapi.json"

    done = CliRunner().invoke(app, ["--api-url", f"{URL}/", "--output", str(output), *options])

    assert done.exit_code == 0, done.output
    for written in (output, tmp_path / "agent-tools.json"):
        document = json.loads(written.read_text())
        assert document["servers"] == [{"url": URL}]
        assert document.get("security") == security


def test_a_wrong_url_is_said_and_nothing_written(tmp_path: Path, app: typer.Typer) -> None:
    output = tmp_path / "openapi.json"

    done = CliRunner().invoke(app, ["--api-url", "nonsense", "--output", str(output)])

    assert done.exit_code == 1
    assert "is not the URL of an API" in done.output
    assert not output.exists()
