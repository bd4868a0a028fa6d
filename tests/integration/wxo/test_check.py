"""`make wxo-check`, before a service that answers for real, with a stand-in for the kit's command."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from werkzeug import Request, Response

from functions.accept.http.openapi import agent_document, wxo_document
from functions.accept.http.routes import ROUTES
from functions.accept.settings import AccessControl
from standins.server import Server, json_response

ROOT = Path(__file__).parents[3]
LOCKED = re.search(r"^ibm-watsonx-orchestrate==(\S+)", (ROOT / "wxo/adk.lock").read_text(), re.MULTILINE)


class Service(Server):
    """Is healthy, gives tokens, and takes one key and one token."""

    def answer(self, request: Request) -> Response:
        if request.path == "/health":
            return json_response({"ok": True})
        if request.path == "/token":
            return json_response({"access_token": f"for-{request.form['client_id']}-{request.form.get('scope')}"})
        taken = (
            request.headers.get("x-api-key") == "the-key"
            or request.headers.get("Authorization") == "Bearer for-wxo-edit"
        )
        return json_response({}, 200 if taken else 403)


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with Service() as made:
        yield made


@pytest.fixture
def folder(tmp_path: Path, service: Service) -> Path:
    """wxo/ with both documents, a home where everything is right, and a command `orchestrate`."""
    assert LOCKED
    files = {
        "wxo/adk.lock": (ROOT / "wxo/adk.lock").read_text(),
        "home/.config/orchestrate/config.yaml": json.dumps({"context": {"active_environment": "mine"}}),
        "home/.cache/orchestrate/credentials.yaml": json.dumps(
            {"auth": {"mine": {"wxo_mcsp_token": "x", "wxo_mcsp_token_expiry": int(time.time()) + 900}}}
        ),
        "bin/orchestrate": f"#!/usr/bin/env bash\necho ADK Version: {LOCKED[1]}\n",
    }
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    (tmp_path / "bin/orchestrate").chmod(0o755)
    write_documents(tmp_path, service.base_url, AccessControl.API_KEY)
    return tmp_path


def write_documents(folder: Path, url: str, access: AccessControl) -> None:
    (folder / "wxo/openapi.json").write_text(json.dumps(wxo_document(ROUTES, url, access=access)))
    (folder / "wxo/agent-tools.json").write_text(json.dumps(agent_document(ROUTES, url, access=access)))


def check(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    own = {
        "PATH": f"{folder / 'bin'}:/usr/bin:/bin",
        "HOME": str(folder / "home"),
        "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "layers/common"))),
    }
    return subprocess.run(
        [sys.executable, "-m", "wxo.check", "--folder", folder / "wxo"],
        env=own | variables,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_nothing_is_missing(folder: Path, service: Service) -> None:
    done = check(folder, API_KEY="the-key")

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("ok ") == 5
    assert "the-key" not in done.stdout
    write_documents(folder, service.base_url, AccessControl.JWT)
    token_url = f"{service.base_url}/token"
    assert check(folder, CLIENT_ID="wxo", CLIENT_SECRET="s", TOKEN_URL=token_url, SCOPE="edit").returncode == 0


def test_everything_that_is_missing_is_said_at_once(folder: Path) -> None:
    write_documents(folder, "http://127.0.0.1:9", AccessControl.API_KEY)
    (folder / "bin/orchestrate").unlink()
    (folder / "home/.config/orchestrate/config.yaml").unlink()

    done = check(folder)

    assert done.returncode == 1
    missing = [line.split("  ", 1)[1] for line in done.stderr.splitlines() if line.startswith("MISSING")]
    assert [line.split(":")[0] for line in missing] == ["address", "credentials", "development kit", "environment"]
    for line, words in zip(
        missing, ("cannot be reached", "set API_KEY", "make adk", "orchestrate env add"), strict=True
    ):
        assert words in line


def test_what_is_there_and_wrong_is_said(folder: Path) -> None:
    (folder / "bin/orchestrate").write_text("#!/usr/bin/env bash\necho ADK Version: 1.0.0\n")
    (folder / "wxo/agent-tools.json").unlink()
    stale = {"auth": {"mine": {"wxo_mcsp_token": "x", "wxo_mcsp_token_expiry": 1}}}
    (folder / "home/.cache/orchestrate/credentials.yaml").write_text(json.dumps(stale))

    done = check(folder, API_KEY="another-key")

    assert done.returncode == 1
    for words in ("agent-tools.json is missing", "answered 403", "version 1.0.0; the tools are tested with", "expired"):
        assert words in done.stderr
    assert "another-key" not in done.stdout + done.stderr
