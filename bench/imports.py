"""What importing each function's `app` takes in a fresh process, and the tools for agents, beside what it may cost."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from bench.figures import Figure

_ROOT = Path(__file__).parent.parent
_ROUNDS = 7
_MEASURE = "import time; {before}; started = time.perf_counter(); {code}; print(time.perf_counter() - started)"
# Function -> the modules whose import it may cost, and the seconds on top of that.
_BUDGETS = {
    "authorizer": ("jwt", 0.350),
    "accept": ("boto3, pydantic", 0.150),
    "batch_fanout": ("boto3, pydantic", 0.150),
    "callback": ("", 0.350),
    "process_image": ("openai, boto3", 0.150),
}
# What a first tools/list of POST /mcp takes beyond accept's own imports, which no other route pays for.
_ACCEPT = "import functions.accept.app; from functions.accept.http.routes import ROUTES"
_LIST_TOOLS = "from functions.accept.mcp.server import tools_told; tools_told(ROUTES)"
_MOST_FOR_TOOLS = 0.250


def measure() -> Iterator[Figure]:
    """Import each function and its yardstick in turn, and compare the fastest of each."""
    for function, (yardstick, extra) in _BUDGETS.items():
        own, allowed = [], [0.0]
        for _ in range(_ROUNDS):
            own.append(_seconds(f"import functions.{function}.app"))
            if yardstick:
                allowed.append(_seconds(f"import {yardstick}"))
        budget = min(allowed[1:], default=0.0) + extra
        text = f"import of {function}" + (f" (allowed: {yardstick} and {extra * 1000:.0f} ms)" if yardstick else "")
        yield Figure(text, min(own) * 1000, round(budget * 1000), "ms")
    tools = min(_seconds(_LIST_TOOLS, before=_ACCEPT) for _ in range(_ROUNDS))
    yield Figure("a first tools/list, on top of accept's import", tools * 1000, round(_MOST_FOR_TOOLS * 1000), "ms")


def _seconds(code: str, *, before: str = "pass") -> float:
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", _MEASURE.format(before=before, code=code)],
        env={"PYTHONPATH": f"{_ROOT}:{_ROOT / 'layers' / 'common'}"},
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return float(done.stdout)
