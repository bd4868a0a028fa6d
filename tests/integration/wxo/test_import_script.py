"""wxo/import-all.sh and wxo/remove-all.sh, with a stand-in for the kit's command that writes down how it is called."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from functions.accept.http.openapi import agent_document, wxo_document
from functions.accept.http.routes import ROUTES
from functions.accept.settings import AccessControl
from tests.support.adk import Kit

WXO = Path(__file__).parents[3] / "wxo"
URL = "https://abc123.execute-api.eu-central-1.amazonaws.com/v1"
# As the kit does it: logs on the standard output, lists of all there is as JSON, and a removal that passes over what
# it does not find. What `stuck` names is never removed.
ORCHESTRATE = """
import json, pathlib, sys
home, (kind, verb, *options) = pathlib.Path(__file__).parents[1], sys.argv[1:]
with (home / "log").open("a") as log:
    print(*sys.argv[1:], file=log)
there, stuck = json.loads((home / "there").read_text()), json.loads((home / "stuck").read_text())
if verb == "list":
    print("[INFO] - Using the environment 'test'")
    rows = [{"app_id" if kind == "connections" else "name": name} for name in there[kind]]
    print(json.dumps({"native": rows, "external": None} if kind == "agents" else rows, indent=4))
if verb == "remove" and options[1] in there[kind] and options[1] not in stuck:
    there[kind].remove(options[1])
    (home / "there").write_text(json.dumps(there))
"""
NOTHING: dict[str, list[str]] = {"agents": [], "tools": [], "connections": []}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of wxo/ and, on the PATH, a command `orchestrate` that appends its arguments to a log."""
    copy = tmp_path / "wxo"
    shutil.copytree(WXO, copy, ignore=shutil.ignore_patterns("openapi.json", "agent-tools.json", "__pycache__"))
    command = tmp_path / "bin" / "orchestrate"
    command.parent.mkdir()
    command.write_text(f"#!{sys.executable}{ORCHESTRATE}")
    command.chmod(0o755)
    activate(copy, "mine")
    put(copy, NOTHING)
    return copy


def activate(folder: Path, environment: str) -> None:
    """Write the kit's own configuration as the kit does."""
    config = folder.parent / ".config" / "orchestrate" / "config.yaml"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(
        f"cached_user_env: {{}}\ncontext:\n  active_environment: {environment}\n  active_workspace: null\n"
    )


def put(folder: Path, there: dict[str, list[str]], stuck: tuple[str, ...] = ()) -> None:
    """Say what the environment has."""
    (folder.parent / "there").write_text(json.dumps(there))
    (folder.parent / "stuck").write_text(json.dumps(stuck))


def imported(kit: dict[str, Any]) -> dict[str, list[str]]:
    """What the environment has after wxo/import-all.sh, beside what is not ours."""
    flows = [flow["spec"]["name"] for flow in kit["flows"]]
    tools = [tool["name"] for tools in (*kit["documents"], kit["python_tools"]) for tool in tools]
    return {
        "agents": ["hr", "image_editor"],
        "tools": ["send_mail", *tools, *flows],
        "connections": ["image_jobs", "hr"],
    }


def write_documents(folder: Path, access: AccessControl) -> None:
    (folder / "openapi.json").write_text(json.dumps(wxo_document(ROUTES, URL, access=access)))
    (folder / "agent-tools.json").write_text(json.dumps(agent_document(ROUTES, URL, access=access)))


def run(
    folder: Path, script: str = "import-all.sh", **variables: str
) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    path = f"{folder.parent / 'bin'}:{os.environ['PATH']}"
    done = subprocess.run(
        [folder / script],
        env={"PATH": path, "HOME": str(folder.parent), **variables},
        capture_output=True,
        text=True,
        timeout=30,
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


@pytest.mark.parametrize("script", ["import-all.sh", "remove-all.sh"])
def test_without_an_active_environment_the_kit_is_not_called(folder: Path, script: str) -> None:
    write_documents(folder, AccessControl.OPEN)
    activate(folder, "null")

    done, calls = run(folder, script)

    assert (done.returncode, calls) == (1, [])
    assert "no environment is active: orchestrate env activate" in done.stderr


def test_the_kits_own_command_takes_every_call_of_the_scripts(folder: Path, adk: Kit, kit: dict[str, Any]) -> None:
    credentials = {"API_KEY": "k", "CLIENT_ID": "c", "CLIENT_SECRET": "s", "TOKEN_URL": "https://id.example/token"}
    for access in AccessControl:
        write_documents(folder, access)
        run(folder, SCOPE="images.edit", **credentials)
    put(folder, imported(kit))
    _, calls = run(folder, "remove-all.sh")

    refused = adk.refused(calls)

    assert len(calls) > 50
    assert refused == {}
    assert list(adk.refused(["connections remove --app image_jobs"])) == ["connections remove --app image_jobs"]


def test_everything_that_was_imported_is_removed_in_the_opposite_order(folder: Path, kit: dict[str, Any]) -> None:
    put(folder, there := imported(kit))
    done, calls = run(folder, "remove-all.sh")

    assert done.returncode == 0, done.stderr
    removals = [call for call in calls if " remove " in call]
    assert removals[0] == "agents remove --name image_editor --kind native"
    assert removals[-1] == "connections remove --app-id image_jobs"
    removed = [call.removeprefix("tools remove --name ") for call in removals[1:-1]]
    flows = [flow["spec"]["name"] for flow in kit["flows"]]
    assert sorted(removed) == sorted(there["tools"][1:])
    assert sorted(removed[: len(flows)]) == sorted(flows)
    assert done.stdout.count("removed:  ") == len(removals)
    assert json.loads((folder.parent / "there").read_text()) == {
        "agents": ["hr"],
        "tools": ["send_mail"],
        "connections": ["hr"],
    }


def test_what_is_not_there_is_told_and_nothing_is_asked_to_be_removed(folder: Path) -> None:
    put(folder, {"agents": [], "tools": ["getJob"], "connections": ["image_jobs"]})

    done, calls = run(folder, "remove-all.sh", KEEP_CONNECTION="1")

    assert done.returncode == 0, done.stderr
    assert [call for call in calls if " list " not in call] == ["tools remove --name getJob"]
    assert "removed:     tools getJob\n" in done.stdout
    assert "not there:   agents image_editor\n" in done.stdout
    assert "connections" not in done.stdout


def test_what_is_left_is_told_by_the_exit_code_too(folder: Path) -> None:
    put(folder, {"agents": ["image_editor"], "tools": ["getJob"], "connections": []}, stuck=("getJob",))

    done, _ = run(folder, "remove-all.sh")

    assert done.returncode == 1
    assert "removed:     agents image_editor\nnot there: " in done.stdout
    assert "still there: tools getJob\n" in done.stdout
    assert "1 of 17 are still there" in done.stderr


def test_an_environment_that_cannot_be_listed_is_not_called_empty(folder: Path) -> None:
    (folder.parent / "there").write_text("not to be had")

    done, calls = run(folder, "remove-all.sh")

    assert (done.returncode, calls) == (1, ["agents list --verbose"])
    assert "'orchestrate agents list' failed" in done.stderr
