"""What a cold start of the callback function pays for before its first invocation."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_importing_the_function_brings_neither_sdk_nor_environment():
    code = "import sys, functions.callback.app; print(sorted({'boto3', 'openai', 'PIL', 'httpx2'} & set(sys.modules)))"

    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'layers' / 'common'}"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr
