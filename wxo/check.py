"""Tells what is missing before wxo/import-all.sh can do its work. `make wxo-check` calls it; it changes nothing."""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import httpx2
import typer
import yaml

from wxo.generate import AGENT_TOOLS, OUTPUT

ROOT = Path(__file__).parent.parent
TIMEOUT = 15
MAKE_TOOLS = "make wxo-tools (with API_URL=https://… or STACK_FILE=… unless the stack is deployed from here)"


class MissingError(Exception):
    """Something that the import needs is not there; the message says what to do."""


@dataclass(frozen=True)
class Credentials:
    """What import-all.sh takes from the environment."""

    api_key: str = ""
    client_id: str = ""
    client_secret: str = ""
    token_url: str = ""
    scope: str = ""


class Check:
    """The checks, each of which gives a sentence on what it found."""

    def __init__(self, folder: Path, home: Path, credentials: Credentials) -> None:
        self._folder = folder
        self._home = home
        self._credentials = credentials

    def all(self) -> Iterator[tuple[str, bool, str]]:
        """Each check's name, whether it went well, and what it found or what to do."""
        checks: dict[str, Callable[[], str]] = {
            "documents": self._documents,
            "address": self._address,
            "credentials": self._authorized,
            "development kit": self._kit,
            "environment": self._environment,
        }
        for name, check in checks.items():
            try:
                yield name, True, check()
            except MissingError as error:
                yield name, False, str(error)

    def _documents(self) -> str:
        servers = {self._document(name)["servers"][0]["url"] for name in (OUTPUT.name, AGENT_TOOLS.name)}
        if len(servers) != 1:
            raise MissingError(f"the two documents name different addresses, {sorted(servers)}: {MAKE_TOOLS}")
        return f"both name {servers.pop()}"

    def _address(self) -> str:
        url = f"{self._server()}/health"
        answer = self._ask(url, {})
        if answer.status_code != 200:
            raise MissingError(f"{url} answered {answer.status_code}: is the stack deployed, and this its address?")
        return f"{url} answers"

    def _authorized(self) -> str:
        url = f"{self._server()}/cos/config"
        header = self._header()
        answer = self._ask(url, header)
        if answer.status_code in (401, 403):
            raise MissingError(f"{url} answered {answer.status_code}: the credentials are not this stack's")
        if answer.status_code != 200:
            raise MissingError(f"{url} answered {answer.status_code}: {answer.text[:200]}")
        return f"the service takes them ({', '.join(header) or 'it asks for none'})"

    def _kit(self) -> str:
        if shutil.which("orchestrate") is None:
            raise MissingError("the command orchestrate is missing: make adk && source .venv-adk/bin/activate")
        done = subprocess.run(["orchestrate", "--version"], capture_output=True, text=True, timeout=120)  # noqa: S607
        found = re.search(r"\d+\.\d+\.\d+", done.stdout)
        locked = re.search(r"^ibm-watsonx-orchestrate==(\S+)", (self._folder / "adk.lock").read_text(), re.MULTILINE)
        if not found or not locked:
            raise MissingError(f"orchestrate --version tells no version: {done.stdout[:200]}{done.stderr[:200]}")
        if found[0] != locked[1]:
            raise MissingError(f"version {found[0]}; the tools are tested with {locked[1]}: make adk installs that")
        return f"version {found[0]}, with which the tools are tested"

    def _environment(self) -> str:
        active = self._yaml(".config/orchestrate/config.yaml").get("context", {}).get("active_environment")
        if not active:
            raise MissingError("no environment is active: orchestrate env add --name … --url … --activate")
        stored = self._yaml(".cache/orchestrate/credentials.yaml").get("auth", {}).get(active, {})
        if not stored.get("wxo_mcsp_token"):
            raise MissingError(f"there is no token for {active}: orchestrate env activate {active}")
        if stored.get("wxo_mcsp_token_expiry", time.time() + 1) < time.time():
            raise MissingError(f"the token for {active} has expired: orchestrate env activate {active}")
        draft_alone = "; it knows draft alone: ENVIRONMENTS=draft wxo/import-all.sh" if active == "local" else ""
        return f"{active} is active{draft_alone}"

    def _document(self, name: str) -> dict[str, Any]:
        path = self._folder / name
        if not path.is_file():
            raise MissingError(f"wxo/{name} is missing: {MAKE_TOOLS}")
        document: dict[str, Any] = json.loads(path.read_text())
        return document

    def _server(self) -> str:
        server: str = self._document(OUTPUT.name)["servers"][0]["url"]
        return server

    def _header(self) -> dict[str, str]:
        given = self._credentials
        schemes = self._document(OUTPUT.name).get("components", {}).get("securitySchemes", {})
        if "apiKey" in schemes:
            if not given.api_key:
                raise MissingError("the service asks for an API key: set API_KEY (make api-key writes it)")
            return {"x-api-key": given.api_key}
        if "bearer" in schemes:
            if not (given.client_id and given.client_secret and given.token_url):
                raise MissingError("the service asks for a bearer token: set CLIENT_ID, CLIENT_SECRET and TOKEN_URL")
            return {"Authorization": f"Bearer {self._token()}"}
        return {}

    def _token(self) -> str:
        """An access token by the client credentials grant (RFC 6749, section 4.4), as WXO gets one."""
        given = self._credentials
        form = {"grant_type": "client_credentials", "client_id": given.client_id, "client_secret": given.client_secret}
        try:
            answer = httpx2.post(given.token_url, data=form | ({"scope": given.scope} if given.scope else {}))
            token: str = answer.raise_for_status().json()["access_token"]
        except (httpx2.HTTPError, ValueError, KeyError) as error:
            raise MissingError(f"TOKEN_URL gave no token: {type(error).__name__}: {error}") from error
        return token

    def _ask(self, url: str, headers: dict[str, str]) -> httpx2.Response:
        try:
            return httpx2.get(url, headers=headers, timeout=TIMEOUT)
        except httpx2.HTTPError as error:
            raise MissingError(f"{url} cannot be reached: {type(error).__name__}: {error}") from error

    def _yaml(self, path: str) -> dict[str, Any]:
        file = self._home / path
        found: dict[str, Any] = (yaml.safe_load(file.read_text()) if file.is_file() else None) or {}
        return found


def main(
    api_key: Annotated[str, typer.Option(envvar="API_KEY")] = "",
    client_id: Annotated[str, typer.Option(envvar="CLIENT_ID")] = "",
    client_secret: Annotated[str, typer.Option(envvar="CLIENT_SECRET")] = "",
    token_url: Annotated[str, typer.Option(envvar="TOKEN_URL")] = "",
    scope: Annotated[str, typer.Option(envvar="SCOPE")] = "",
    folder: Annotated[Path, typer.Option(help="The folder with the two documents.")] = OUTPUT.parent,
) -> None:
    """Tell what is missing before the import into watsonx Orchestrate: documents, address, credentials, kit."""
    credentials = Credentials(api_key, client_id, client_secret, token_url, scope)
    found = list(Check(folder, Path.home(), credentials).all())
    for name, good, said in found:
        typer.echo(f"{'ok     ' if good else 'MISSING'}  {name}: {said}", err=not good)
    if not all(good for _, good, _ in found):
        raise typer.Exit(1)
    typer.echo("nothing is missing: wxo/import-all.sh")


if __name__ == "__main__":
    typer.run(main)
