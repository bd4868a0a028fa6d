"""What a cold start pays for."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
BUDGET_SECONDS = 0.150
LAZY = {"boto3", "pillow_heif", "imagejobs.outbound.connection"}

MEASURE = """
import sys, time
started = time.perf_counter()
import {modules}
print(time.perf_counter() - started, *sys.modules)
"""


def imported(modules: str) -> tuple[float, set[str]]:
    """The fastest of three imports in fresh processes, and the modules it brought."""
    environment = {"PYTHONPATH": f"{ROOT}:{ROOT / 'layers' / 'common'}"}
    command = [sys.executable, "-c", MEASURE.format(modules=modules)]
    runs = [
        subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, check=True, text=True, timeout=60)
        for _ in range(3)
    ]
    fields = [run.stdout.split() for run in runs]
    return min(float(seconds) for seconds, *_ in fields), set(fields[0][1:])


def test_the_import_stays_within_its_budget_and_needs_no_environment() -> None:
    """The budget is what openai and boto3 take, and 150 ms."""
    allowed, _ = imported("openai, boto3")

    seconds, modules = imported("functions.process_image.app")

    assert seconds <= allowed + BUDGET_SECONDS
    assert not LAZY & modules
