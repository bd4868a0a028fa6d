"""Which module imports which, and what a cold start pays for it. (`make bench` has the times.)"""

import ast
import graphlib
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

import pytest

from tests.support.waiting import PATIENCE

ROOT = Path(__file__).parents[2]
# What none of a function's imports may bring: SDKs and libraries that it imports on first use, or not at all.
LAZY = {
    "accept": {
        *("openai", "PIL", "httpx2", "boto3", "functions.accept.http.openapi"),
        *("functions.accept.mcp.server", "functions.accept.mcp.tools"),
    },
    "process_image": {"boto3", "openai", "httpx2", "pillow_heif", "aws_lambda_powertools.event_handler"},
    "batch_fanout": {"boto3", "openai", "PIL", "httpx2", "aws_lambda_powertools.event_handler"},
    "authorizer": {"boto3", "openai", "PIL", "httpx2", "aws_lambda_powertools.event_handler"},
    "callback": {"boto3", "openai", "PIL", "httpx2", "aws_lambda_powertools.event_handler"},
}


@pytest.mark.parametrize("function", LAZY)
def test_importing_a_function_needs_no_environment_and_brings_nothing_heavy(function: str) -> None:
    code = f"import sys, functions.{function}.app; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'layers' / 'common'}"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )

    assert done.returncode == 0, done.stderr
    assert not LAZY[function] & set(done.stdout.split())


def modules() -> dict[str, Path]:
    """Every module of the product, by its name."""
    found = {}
    for base, package in ((ROOT, "functions"), (ROOT / "layers" / "common", "imagejobs")):
        for path in (base / package).rglob("*.py"):
            found[".".join(path.relative_to(base).with_suffix("").parts).removesuffix(".__init__")] = path
    return found


def imported(path: Path, names: Collection[str]) -> set[str]:
    """Which of the modules `names` a file imports anywhere, inside of functions and for type checkers too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found & set(names)


def test_no_module_imports_itself_by_way_of_others() -> None:
    graph = {name: imported(path, modules()) for name, path in modules().items()}

    assert "imagejobs.outbound.network" in graph["imagejobs.outbound.transport"]
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


def test_the_layer_imports_no_function_and_no_function_another() -> None:
    names = modules()
    for name, path in names.items():
        own = ".".join(name.split(".")[:2]) if name.startswith("functions.") else "imagejobs"
        foreign = {
            one for one in imported(path, names) if one.startswith("functions.") and not f"{one}.".startswith(f"{own}.")
        }
        assert not foreign, f"{name} imports {foreign}"
