"""The client stands alone, starts fast and can be installed from its folder."""

import ast
import re
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import imagejobs_client
from tests.support.waiting import PATIENCE

ROOT = Path(__file__).parents[3]
CLIENT = ROOT / "client"
PYPROJECT = tomllib.loads((CLIENT / "pyproject.toml").read_text())
OWN = {"imagejobs_cli", "imagejobs_client"}


def imported(path: Path) -> set[str]:
    """The top-level packages that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(str(node.module).partition(".")[0])
    return found


def test_the_client_imports_its_own_packages_and_the_standard_library_alone() -> None:
    needs = {Requirement(text).name for text in PYPROJECT["project"]["dependencies"]}
    paths = list((CLIENT / "src").rglob("*.py"))
    brought = {name for path in paths for name in imported(path)} - set(sys.stdlib_module_names) - OWN

    assert len(paths) > 20
    assert brought == needs


def test_the_library_imports_neither_the_command_line_nor_rich() -> None:
    for path in (CLIENT / "src" / "imagejobs_client").rglob("*.py"):
        assert not imported(path) & {"imagejobs_cli", "rich"}, path


@pytest.mark.parametrize("arguments", [["--help"], ["batch", "--help"], ["--version"]])
def test_help_loads_neither_the_http_client_nor_rich(arguments: list[str]) -> None:
    code = f"import sys; sys.argv = ['imagejobs', *{arguments}]\n" + (
        "from imagejobs_cli.app import main\ntry: main()\n"
        "except SystemExit as end: print(end.code or 0, *sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=PATIENCE)

    code_and_modules = done.stderr.split()
    assert code_and_modules[0] == "0", done.stderr
    assert not {"httpx2", "rich", "imagejobs_client"} & set(code_and_modules)


def test_the_locked_uv_builds_the_client_by_itself() -> None:
    """uv has its own build backend on board, so that `make setup` fetches nothing beside the lock."""
    version = re.search(r"^UV_VERSION := (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    (backend,) = PYPROJECT["build-system"]["requires"]

    assert version is not None
    assert Requirement(backend).name == "uv_build"
    assert Requirement(backend).specifier.contains(version[1])


def test_client_and_service_have_one_version() -> None:
    assert PYPROJECT["project"]["version"] == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


@pytest.mark.parametrize("name", [name for name in dir(imagejobs_client.Client) if not name.startswith("_")])
def test_every_call_has_a_docstring_and_an_example(name: str) -> None:
    text = getattr(imagejobs_client.Client, name).__doc__ or ""

    assert text
    if name != "close":
        assert "Example:\n" in text
        ast.parse(textwrap.dedent(text.partition("Example:\n")[2]))
