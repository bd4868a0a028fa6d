"""The house rules of CONTRIBUTING.md that a machine can hold: sizes, and where the environment is read."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILE_LINES = 300
FUNCTION_LINES = 40
PRODUCT = ("functions", "layers")
SIZED = (*PRODUCT, "bench", "client", "demo", "local", "standins", "tests", "tools", "wxo")


def files(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


def test_no_code_file_has_more_than_300_lines() -> None:
    lines = {str(path.relative_to(ROOT)): path.read_text().count("\n") for path in files(*SIZED)}

    assert len(lines) > 150
    assert {name: count for name, count in lines.items() if count > FILE_LINES} == {}


def test_no_function_has_more_than_40_lines() -> None:
    lines = {
        f"{path.relative_to(ROOT)}:{node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path in files(*SIZED)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }

    assert len(lines) > 1000
    assert {name: count for name, count in lines.items() if count > FUNCTION_LINES} == {}


def reads_environment(path: Path) -> bool:
    """Whether a module asks `os` for the environment, in any of the ways that there are."""
    names = {"environ", "environb", "getenv", "getenvb"}
    return any(
        (isinstance(node, ast.Attribute) and node.attr in names)
        or (isinstance(node, ast.ImportFrom) and node.module == "os" and names & {one.name for one in node.names})
        for node in ast.walk(ast.parse(path.read_text()))
    )


def test_the_environment_is_read_in_the_settings_alone() -> None:
    reading = {str(path.relative_to(ROOT)) for path in files(*PRODUCT) if reads_environment(path)}

    assert reading == {"layers/common/imagejobs/settings.py"}
