"""`make soak` with a few dozen jobs, and Ctrl-C in it and in `make demo`."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from local import processes
from local.deployment import ROOT
from tests.support.waiting import wait_until


def start(*arguments: str) -> "subprocess.Popen[str]":
    here = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "AWS_"))}
    return subprocess.Popen(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env={**here, "PYTHONPATH": f"{ROOT}:{ROOT}/layers/common"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # A suite that runs in a shell's background ignores Ctrl-C, and would pass that on.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def test_every_job_of_a_small_soak_ends_once(tmp_path: Path) -> None:
    run = start("bench.soak", "--jobs", "24", "--seed", "3", "--kills", "0.5", "--state-dir", str(tmp_path))
    told = run.communicate(timeout=900)[0]

    assert run.returncode == 0, told
    assert "make soak JOBS=24 SEED=3 KILLS=0.5" in told
    assert "as it must be: every job ended once" in told
    assert processes.recorded(tmp_path / "processes.json") == []


@pytest.mark.parametrize(
    ("command", "folder"),
    [(["bench.soak"], ROOT / ".local" / "soak"), (["demo"], ROOT / ".local" / "demo" / "state")],
    ids=["soak", "demo"],
)
def test_ctrl_c_leaves_nothing_running(command: list[str], folder: Path) -> None:
    recorded = folder / "processes.json"
    assert not [one for one in processes.recorded(recorded) if one.alive()], "it runs already"
    run = start(*command)
    started = wait_until(lambda: [one for one in processes.recorded(recorded) if one.alive()], 120, "the emulator")
    run.send_signal(signal.SIGINT)
    told = run.communicate(timeout=120)[0]

    assert (run.returncode, told.splitlines()[-1]) == (130, "stopped: nothing is left running")
    assert not any(one.alive() for one in started)
