"""What a cold start pays for: the modules that importing a function brings. (`make bench` has the times.)"""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# What none of a function's imports may bring: SDKs and libraries that it imports on first use, or not at all.
LAZY = {
    "accept": {"openai", "PIL", "httpx2", "boto3", "functions.accept.http.openapi"},
    "process_image": {"boto3", "pillow_heif", "aws_lambda_powertools.event_handler"},
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
        timeout=60,
    )

    assert done.returncode == 0, done.stderr
    assert not LAZY[function] & set(done.stdout.split())
