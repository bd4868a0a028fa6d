"""The command line as a process of its own: pipes, Ctrl-C and a terminal."""

import os
import pty
import signal
import stat
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.integration.client.conftest import KEY, under_way
from tests.support.image_jobs import EDITED, ImageJobsStandIn
from tests.support.pictures import picture
from tests.support.waiting import PATIENCE, wait_until

PROGRAM = [sys.executable, "-m", "imagejobs_cli"]


def _heeds_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_edit_reads_stdin_and_writes_stdout(environment: dict[str, str], service: ImageJobsStandIn) -> None:
    command = [*PROGRAM, "edit", "-", "p", "--out", "-"]
    done = subprocess.run(command, input=picture(), capture_output=True, env=environment, check=True, timeout=PATIENCE)

    assert done.stdout == EDITED


def test_ctrl_c_leaves_the_job_running_and_says_how_to_come_back(
    environment: dict[str, str], service: ImageJobsStandIn, folder: Path
) -> None:
    service.readings = lambda job, _: under_way(job, status="running")
    command = [*PROGRAM, "edit", "holiday/a.png", "p"]
    pipes: dict[str, Any] = {"stderr": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    # Where the tests run in the background of a shell, every program of theirs would pass over Ctrl-C.
    with subprocess.Popen(command, env=environment, preexec_fn=_heeds_ctrl_c, **pipes) as program:
        wait_until(lambda: any(one.path.startswith("/jobs/") for one in service.asked), what="the job under way")
        program.send_signal(signal.SIGINT)
        out, err = program.communicate(timeout=PATIENCE)

    (job_id,) = service.jobs
    assert (program.returncode, out) == (130, "")
    assert f"imagejobs watch {job_id}" in err
    assert f"imagejobs cancel {job_id}" in err
    assert "Traceback" not in err
    assert all(one.method != "DELETE" for one in service.asked)


def test_login_keeps_the_key_for_its_owner_alone_and_shows_it_nowhere(
    environment: dict[str, str], tmp_path: Path, service: ImageJobsStandIn
) -> None:
    del environment["IMAGEJOBS_API_KEY"], environment["IMAGEJOBS_ADDRESS"]
    terminal, side = pty.openpty()
    command = [*PROGRAM, "login", "--address", service.base_url]
    with subprocess.Popen(
        command, stdin=side, stdout=side, stderr=side, env=environment, start_new_session=True
    ) as program:
        os.close(side)
        shown = b""
        while b"API key" not in shown:
            shown += os.read(terminal, 1024)
        os.write(terminal, f"{KEY}\n".encode())
        with suppress(OSError):  # Linux tells so that the program has ended
            while more := os.read(terminal, 1024):
                shown += more
    os.close(terminal)
    assert program.returncode == 0, shown

    (config,) = (tmp_path / "config").rglob("config.toml")
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    assert KEY in config.read_text()
    assert KEY.encode() not in shown
    del environment["COLUMNS"]
    done = subprocess.run(
        [*PROGRAM, "doctor"], env=environment, capture_output=True, text=True, check=True, timeout=PATIENCE
    )
    assert f"api key (from {config})" in done.stdout
