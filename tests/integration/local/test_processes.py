"""Background processes: started, recorded, stopped, and nobody else's harmed."""

import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import httpx2
import psutil
import pytest

from local import deployment, processes
from local.processes import StartError
from local.stack import EmbeddedStack, Options, Ports


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
    monkeypatch.setattr(deployment, "local_parameters", lambda overrides: overrides)

    with pytest.raises(StartError, match="sam deploy failed"):
        EmbeddedStack(options).up()

    assert not any(processes.listening(port) for port in (options.ports.aws, options.ports.openai))
    assert EmbeddedStack(options).down() == []
    assert not (tmp_path / "processes.json").exists()
