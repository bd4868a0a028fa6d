"""Background processes: started, recorded, stopped, and nobody else's harmed."""

import os
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import httpx2
import psutil
import pytest

from local import deployment, processes
from local.deployment import ROOT
from local.processes import StartError
from local.stack import OPENAI_URL, EmbeddedStack, Options, Ports, openai_server
from tests.support.waiting import wait_until


def test_a_process_knows_nothing_of_this_shell_is_found_again_and_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, http: httpx2.Client
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    port = processes.free_port()
    started = processes.start("receiver", "standins.receiver", port, tmp_path)
    processes.record([started], tmp_path / "processes.json")

    (found,) = processes.recorded(tmp_path / "processes.json")
    assert found == started
    assert found.alive()
    assert http.post(f"http://127.0.0.1:{port}/any").status_code == 200
    assert not psutil.Process(found.pid).environ().keys() & {"AWS_ENDPOINT_URL", "OPENAI_API_KEY"}
    found.stop()
    assert not found.alive()
    assert not processes.listening(port)
    found.stop()  # a second time does no harm


def test_a_pid_that_is_another_processes_by_now_is_left_alone() -> None:
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True)
    try:
        stale = processes.Process("emulator", other.pid, started=0)
        assert not stale.alive()
        stale.stop()
        assert other.poll() is None
    finally:
        other.communicate(b"\n")


def test_a_failed_start_shows_the_end_of_the_log(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"No module named local\.nothing"):
        processes.start("nothing", "local.nothing", processes.free_port(), tmp_path)


@pytest.mark.parametrize(("part", "variable"), [("aws", "AWS_PORT"), ("openai", "OPENAI_PORT"), ("cos", "COS_PORT")])
def test_a_port_in_use_is_named_and_nothing_is_left_running(tmp_path: Path, part: str, variable: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        options = Options(ports=replace(Ports.free(), **{part: port}), state_dir=tmp_path, with_cos=True)
        with pytest.raises(StartError, match=f"port {port}, .* is in use.*{variable}="):
            EmbeddedStack(options).up()

    assert not (tmp_path / "processes.json").exists()
    assert not (tmp_path / "stack.json").exists()


def test_a_start_that_fails_halfway_stops_what_was_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(endpoint: str, parameters: dict[str, str]) -> dict[str, str]:
        assert processes.listening(options.ports.aws)
        raise StartError("sam deploy failed")

    options = Options(ports=Ports.free(), state_dir=tmp_path)
    monkeypatch.setattr(deployment, "deploy", fail)

    with pytest.raises(StartError, match="sam deploy failed"):
        EmbeddedStack(options).up()

    assert not any(processes.listening(port) for port in (options.ports.aws, options.ports.openai))
    assert EmbeddedStack(options).down() == []
    assert not (tmp_path / "processes.json").exists()


def test_a_stop_from_elsewhere_while_the_stack_is_deployed_is_told_as_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(endpoint: str, parameters: dict[str, str]) -> dict[str, str]:
        assert EmbeddedStack(options).down() == ["aws"]
        raise StartError(f"sam deploy failed: could not connect to {endpoint}")

    server = "http://127.0.0.1:1/v1"
    options = Options(ports=Ports.free(), state_dir=tmp_path, openai_base_url=server, with_receiver=False)
    monkeypatch.setattr(deployment, "deploy", stop)

    with pytest.raises(StartError, match="was stopped while the stack was deployed"):
        EmbeddedStack(options).up()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_while_the_emulator_starts_leaves_nothing_running(tmp_path: Path, number: signal.Signals) -> None:
    names = ("AWS_PORT", "OPENAI_PORT", "RECEIVER_PORT", "BEDROCK_PORT", "GEMINI_PORT")
    ports = [processes.free_port() for _ in names]
    named = zip(names, map(str, ports), strict=True)
    up = subprocess.Popen(
        [sys.executable, "-m", "local", "up"],
        env={**os.environ, **dict(named), "STATE_DIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
        # A suite that runs in a shell's background ignores Ctrl-C, and would pass that on.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    recorded = tmp_path / "processes.json"
    wait_until(lambda: processes.recorded(recorded) if recorded.exists() else [], 120, "the emulator's start")
    started = processes.recorded(recorded)
    up.send_signal(number)
    told = up.communicate(timeout=60)[0]

    assert up.returncode == 128 + number
    assert not any(process.alive() for process in started)
    assert not any(processes.listening(port) for port in ports)
    assert EmbeddedStack(Options(state_dir=tmp_path)).down() == []
    # Into a pipe, each step is a line.
    assert told.startswith("starting aws\n")
    assert number is not signal.SIGINT or told.endswith("stopped: nothing is left running\n")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"aws": 70000}, "AWS_PORT=70000 is not a port"),
        ({"receiver": 4566, "aws": 4566}, "AWS_PORT and RECEIVER_PORT are both 4566"),
    ],
)
def test_ports_that_cannot_be_are_told_before_anything_starts(
    tmp_path: Path, change: dict[str, int], told: str
) -> None:
    with pytest.raises(StartError, match=told):
        EmbeddedStack(Options(ports=replace(Ports.free(), **change), state_dir=tmp_path / "state")).up()
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({"LogLevl": "DEBUG"}, "no parameter LogLevl; do you mean LogLevel"),
        ({"Loudness": "11"}, "no parameter Loudness; docs/configuration.md"),
        ({"LogLevel": "LOUD"}, "LogLevel is one of DEBUG, INFO, WARNING, ERROR, but not 'LOUD'"),
    ],
)
def test_parameters_that_the_template_does_not_take_are_told_before_anything_starts(
    tmp_path: Path, parameters: dict[str, str], told: str
) -> None:
    with pytest.raises(StartError, match=told):
        EmbeddedStack(Options(ports=Ports.free(), state_dir=tmp_path / "state", parameters=parameters)).up()
    assert not (tmp_path / "state").exists()


def test_a_folder_that_cannot_be_written_to_is_told_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StartError, match=r"file/state cannot be written to .*STATE_DIR="):
        EmbeddedStack(Options(ports=Ports.free(), state_dir=tmp_path / "file" / "state")).up()


@pytest.mark.parametrize(
    ("url", "key", "server"),
    [("", "", ""), ("", "sk-1", OPENAI_URL), ("http://127.0.0.1:1/v1", "sk-1", "http://127.0.0.1:1/v1")],
)
def test_a_key_alone_leads_to_openai_itself(url: str, key: str, server: str) -> None:
    found = openai_server(url, key)

    assert found == server
    assert Options(openai_base_url=found).uses_openai is (server == OPENAI_URL)


def test_another_python_is_refused_at_once_in_one_line(tmp_path: Path) -> None:
    python = tmp_path / "python3.12"
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)
    make = ["make", "setup", f"PYTHON={python}", f"VENV={tmp_path}/venv"]
    done = subprocess.run(
        make, cwd=ROOT, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode != 0
    assert f"Python 3.13 is needed, which '{python}' is not" in done.stderr.splitlines()[0]
