"""Background processes: started, found again by what a file says of them, and stopped, but never anyone else's."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from standins.server import HOST

_ROOT = Path(__file__).parents[1]
_START_TIMEOUT = 60.0
_STOP_TIMEOUT = 8.0
_TAIL_LINES = 25
# A start time is told by the clock, which may have been set since.
_CLOCK_ADJUSTMENT = 2.0


class StartError(Exception):
    """The embedded AWS could not be started; the message says why and what to do."""


@dataclass(frozen=True)
class Process:
    """A background process. `started` is its start time (seconds): a pid alone may be another's by now."""

    name: str
    pid: int
    started: float

    def alive(self) -> bool:
        """Whether the process still runs, and is the one that was started."""
        with contextlib.suppress(psutil.NoSuchProcess):
            found = psutil.Process(self.pid)
            # One that has ended (a zombie) still holds its ports until its last thread has ended as well.
            ended = found.status() == psutil.STATUS_ZOMBIE and found.num_threads() <= 1
            return not ended and abs(found.create_time() - self.started) < _CLOCK_ADJUSTMENT
        return False

    def stop(self) -> None:
        """End the process and its children; waits until it is gone."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            deadline = time.monotonic() + _STOP_TIMEOUT
            if self.alive():
                os.killpg(self.pid, number)
            while self.alive() and time.monotonic() < deadline:
                time.sleep(0.05)


def unwind_on_signals() -> None:
    """Have the end of the terminal or a kill unwind this process as Ctrl-C does, so that it stops what it started."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _: sys.exit(128 + received))


def start(
    name: str, module: str, port: int, folder: Path, *arguments: str, note: Callable[[Process], None] = lambda _: None
) -> Process:
    """Start `python -m <module>` in a session of its own and wait until it listens on its port.

    `note` gets the process before the wait: whatever happens then, it can be found and stopped. Raises StartError with
    the end of its log, `<folder>/<name>.log`, when it ends or does not listen in time.
    """
    log = folder / f"{name}.log"
    temporary = folder / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    # Only what a program needs of this shell: with its AWS_ENDPOINT_URL, for one, the emulator would call itself.
    passed_on = ("PATH", "HOME", "LANG", "LC_ALL", "SSL_CERT_FILE")
    environment = {key: os.environ[key] for key in passed_on if key in os.environ}
    with log.open("wb") as output:
        popen = subprocess.Popen(
            [sys.executable, "-m", module, "--port", str(port), *arguments],
            cwd=_ROOT,
            env={**environment, "PYTHONPATH": str(_ROOT / "layers" / "common"), "TMPDIR": str(temporary.resolve())},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    process = Process(name, popen.pid, psutil.Process(popen.pid).create_time())
    try:
        note(process)
        deadline = time.monotonic() + _START_TIMEOUT
        while not listening(port):
            if popen.poll() is not None or time.monotonic() > deadline:
                end = "\n".join(log.read_text(errors="replace").splitlines()[-_TAIL_LINES:])
                raise StartError(f"{name} did not start on {HOST}:{port}. The end of {log}:\n{end}")
            time.sleep(0.05)
    except BaseException:  # Ctrl-C too
        process.stop()
        raise
    return process


def make_folder(folder: Path) -> None:
    """Make the folder of logs and records; raises StartError when it cannot be written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise StartError(
            f"{folder} cannot be written to ({error.strerror}). Name another folder: make up STATE_DIR=/tmp/image-jobs"
        ) from error


def listening(port: int) -> bool:
    """Whether anything listens on a port of this machine."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def record(processes: list[Process], path: Path) -> None:
    """Note the processes that run, for `recorded`."""
    path.write_text(json.dumps([asdict(process) for process in processes], indent=2))


def recorded(path: Path) -> list[Process]:
    """The processes that were noted, whether they still run or not."""
    return [Process(**entry) for entry in json.loads(path.read_text())] if path.exists() else []
