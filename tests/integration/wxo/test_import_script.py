"""wxo/import-all.sh and wxo/remove-all.sh, with a stand-in for the kit's command that writes down how it is called."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from functions.accept.http.openapi import agent_document, wxo_document
from functions.accept.http.routes import ROUTES
from functions.accept.settings import AccessControl
from tests.support.adk import Kit

WXO = Path(__file__).parents[3] / "wxo"
URL = "https://abc123.execute-api.eu-central-1.amazonaws.com/v1"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of wxo/ and, on the PATH, a command `orchestrate` that appends its arguments to a log."""
    copy = tmp_path / "wxo"
    shutil.copytree(WXO, copy, ignore=shutil.ignore_patterns("openapi.json", "agent-tools.json", "__pycache__"))
    command = tmp_path / "bin" / "orchestrate"
    command.parent.mkdir()
    command.write_text(f'#!/usr/bin/env bash\necho "$*" >> {tmp_path}/log\n')
    command.chmod(0o755)
    return copy


def write_documents(folder: Path, access: AccessControl) -> None:
    (folder / "openapi.json").write_text(json.dumps(wxo_document(ROUTES, URL, access=access)))
    (folder / "agent-tools.json").write_text(json.dumps(agent_document(ROUTES, URL, access=access)))


def run(
    folder: Path, script: str = "import-all.sh", **variables: str
) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    path = f"{folder.parent / 'bin'}:{os.environ['PATH']}"
    done = subprocess.run(
        [folder / script], env={"PATH": path, **variables}, capture_output=True, text=True, timeout=30
    )
    log = folder.parent / "log"
    return done, log.read_text().splitlines() if log.exists() else []


def test_connection_tools_flows_agent_in_this_order(folder: Path) -> None:
    write_documents(folder, AccessControl.API_KEY)

    done, calls = run(folder, API_KEY="the-key", ENVIRONMENTS="draft", APP_ID="mine")

    assert done.returncode == 0, done.stderr
    assert [call.split(" --")[0] for call in calls] == [
        "connections add",
        "connections configure",
        "connections set-credentials",
        *["tools import"] * 7,
        "agents import",
    ]
    assert f"--server-url {URL} --kind api_key --name x-api-key" in calls[1]
    assert [call for call in calls if "the-key" in call] == [calls[2]]
    assert calls[3] == "tools import --kind openapi --file openapi.json --app-id mine"
    assert calls[4] == "tools import --kind openapi --file agent-tools.json --app-id mine"
    assert calls[6] == "tools import --kind python --file python_tools/image_files.py --app-id image_jobs=mine"
    for call in calls[3:]:
        assert (folder / call.split("--file ")[1].split()[0]).is_file()


def test_a_connection_by_client_credentials_where_the_stack_asks_for_bearer_tokens(folder: Path) -> None:
    write_documents(folder, AccessControl.JWT)

    variables = {"CLIENT_ID": "wxo", "CLIENT_SECRET": "a-secret", "TOKEN_URL": "https://id.example/token"}
    done, calls = run(folder, ENVIRONMENTS="draft", TYPE="member", SCOPE="images.edit", **variables)

    assert done.returncode == 0, done.stderr
    assert calls[1].endswith(f"--type member --server-url {URL} --kind oauth_auth_client_credentials_flow")
    assert calls[2].endswith(
        "--client-id wxo --client-secret a-secret --token-url https://id.example/token --scope images.edit"
    )
    assert calls[3] == "tools import --kind openapi --file openapi.json --app-id image_jobs"


def test_an_open_stack_has_a_connection_for_the_python_tools_address_alone(folder: Path) -> None:
    write_documents(folder, AccessControl.OPEN)

    done, calls = run(folder, ENVIRONMENTS="draft")

    assert done.returncode == 0, done.stderr
    assert calls[1].endswith("--type team --kind key_value")
    assert calls[2].endswith(f"--entries url={URL}")
    assert calls[3] == "tools import --kind openapi --file openapi.json"
    assert calls[6].endswith("--app-id image_jobs=image_jobs")


@pytest.mark.parametrize(
    ("access", "message"),
    [(None, "make wxo-tools"), (AccessControl.API_KEY, "set API_KEY"), (AccessControl.JWT, "set CLIENT_ID")],
)
def test_what_is_missing_is_said_before_anything_is_imported(
    folder: Path, access: AccessControl | None, message: str
) -> None:
    if access:
        write_documents(folder, access)

    done, calls = run(folder)

    assert done.returncode == 1
    assert message in done.stderr
    assert calls == []


def test_the_kits_own_command_takes_every_call_of_the_scripts(folder: Path, adk: Kit) -> None:
    credentials = {"API_KEY": "k", "CLIENT_ID": "c", "CLIENT_SECRET": "s", "TOKEN_URL": "https://id.example/token"}
    for access in AccessControl:
        write_documents(folder, access)
        run(folder, SCOPE="images.edit", **credentials)
    _, calls = run(folder, "remove-all.sh")

    refused = adk.refused(calls)

    assert len(calls) > 50
    assert refused == {}
    assert list(adk.refused(["connections remove --app image_jobs"])) == ["connections remove --app image_jobs"]


def test_everything_that_was_imported_is_removed_in_the_opposite_order(folder: Path, kit: dict[str, Any]) -> None:
    done, calls = run(folder, "remove-all.sh")

    assert done.returncode == 0, done.stderr
    assert calls[0] == "agents remove --name image_editor --kind native"
    assert calls[-1] == "connections remove --app-id image_jobs"
    removed = [call.removeprefix("tools remove --name ") for call in calls[1:-1]]
    flows = [flow["spec"]["name"] for flow in kit["flows"]]
    tools = [tool["name"] for tools in (*kit["documents"], kit["python_tools"]) for tool in tools]
    assert sorted(removed) == sorted([*flows, *tools])
    assert sorted(removed[: len(flows)]) == sorted(flows)


def test_a_removal_goes_on_after_what_is_not_there_and_may_keep_the_connection(folder: Path) -> None:
    command = folder.parent / "bin" / "orchestrate"
    command.write_text(command.read_text() + "[[ $1 != agents ]]\n")

    done, calls = run(folder, "remove-all.sh", KEEP_CONNECTION="1")

    assert done.returncode == 0
    assert "1 were not there" in done.stdout
    assert calls[-1].startswith("tools remove")
