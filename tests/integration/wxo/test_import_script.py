"""wxo/import-all.sh, with a stand-in for the kit's command that writes down how it is called."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from functions.accept.http.openapi import wxo_document
from functions.accept.http.routes import ROUTES
from functions.accept.settings import AccessControl

WXO = Path(__file__).parents[3] / "wxo"
URL = "https://abc123.execute-api.eu-central-1.amazonaws.com/v1"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of wxo/ and, on the PATH, a command `orchestrate` that appends its arguments to a log."""
    copy = tmp_path / "wxo"
    shutil.copytree(WXO, copy, ignore=shutil.ignore_patterns("openapi.json", "__pycache__"))
    command = tmp_path / "bin" / "orchestrate"
    command.parent.mkdir()
    command.write_text(f'#!/usr/bin/env bash\necho "$*" >> {tmp_path}/log\n')
    command.chmod(0o755)
    return copy


def run(folder: Path, **variables: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    path = f"{folder.parent / 'bin'}:{os.environ['PATH']}"
    done = subprocess.run(
        [folder / "import-all.sh"], env={"PATH": path, **variables}, capture_output=True, text=True, timeout=30
    )
    log = folder.parent / "log"
    return done, log.read_text().splitlines() if log.exists() else []


def test_connection_tools_flows_agent_in_this_order(folder: Path) -> None:
    (folder / "openapi.json").write_text(json.dumps(wxo_document(ROUTES, URL, access=AccessControl.API_KEY)))

    done, calls = run(folder, API_KEY="the-key", ENVIRONMENTS="draft")

    assert done.returncode == 0, done.stderr
    assert [call.split(" --")[0] for call in calls] == [
        "connections add",
        "connections configure",
        "connections set-credentials",
        *["tools import"] * 5,
        "agents import",
    ]
    assert f"--server-url {URL} --kind api_key --name x-api-key" in calls[1]
    assert [call for call in calls if "the-key" in call] == [calls[2]]
    assert calls[3] == "tools import --kind openapi --file openapi.json --app-id image_jobs"
    for call in calls[3:]:
        assert (folder / call.split("--file ")[1].split()[0]).is_file()


def test_a_connection_by_client_credentials_where_the_stack_asks_for_bearer_tokens(folder: Path) -> None:
    (folder / "openapi.json").write_text(json.dumps(wxo_document(ROUTES, URL, access=AccessControl.JWT)))

    variables = {"CLIENT_ID": "wxo", "CLIENT_SECRET": "a-secret", "TOKEN_URL": "https://id.example/token"}
    done, calls = run(folder, ENVIRONMENTS="draft", SCOPE="images.edit", **variables)

    assert done.returncode == 0, done.stderr
    assert calls[1].endswith(f"--server-url {URL} --kind oauth_auth_client_credentials_flow")
    assert calls[2].endswith(
        "--client-id wxo --client-secret a-secret --token-url https://id.example/token --scope images.edit"
    )
    assert calls[3] == "tools import --kind openapi --file openapi.json --app-id image_jobs"


def test_no_connection_where_the_stack_is_open(folder: Path) -> None:
    (folder / "openapi.json").write_text(json.dumps(wxo_document(ROUTES, URL, access=AccessControl.OPEN)))

    done, calls = run(folder)

    assert done.returncode == 0, done.stderr
    assert calls[0] == "tools import --kind openapi --file openapi.json"


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (None, "make wxo-tools"),
        (wxo_document(ROUTES, URL, access=AccessControl.API_KEY), "set API_KEY"),
        (wxo_document(ROUTES, URL, access=AccessControl.JWT), "set CLIENT_ID"),
    ],
)
def test_what_is_missing_is_said_before_anything_is_imported(
    folder: Path, document: dict[str, object] | None, message: str
) -> None:
    if document:
        (folder / "openapi.json").write_text(json.dumps(document))

    done, calls = run(folder)

    assert done.returncode == 1
    assert message in done.stderr
    assert calls == []
