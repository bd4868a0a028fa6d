"""Idle execution environments end, as on AWS: real processes, forked by `local.bridges.environments`."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from ministack.core import lambda_runtime

from local.bridges import functions
from local.bridges.environments import ExecutionEnvironment, Template
from tests.integration.local.conftest import archive_of
from tests.support.waiting import wait_until

CODE = "def handler(event, context):\n    return event"


@pytest.fixture
def func(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """A function's record as ministack keeps it, with no environments of others beside it."""
    monkeypatch.setenv("LOCAL_UNPACKED", str(tmp_path))
    monkeypatch.setenv("GATEWAY_PORT", "9")
    monkeypatch.setattr(lambda_runtime, "_workers", {})
    monkeypatch.setattr(lambda_runtime, "_worker_class_for", lambda _config: ExecutionEnvironment)
    arn = "arn:aws:lambda:us-east-1:000000000000:function:idle"
    config = {"FunctionName": "idle", "FunctionArn": arn, "Handler": "app.handler", "Runtime": "python3.13"}
    yield {"config": config, "code_zip": archive_of(CODE)}
    lambda_runtime.reset()
    Template._all.pop(arn).close()


def leased(func: dict[str, Any], count: int) -> list[ExecutionEnvironment]:
    environments = [lambda_runtime.acquire_worker("idle", func["config"], func["code_zip"])[0] for _ in range(count)]
    for environment in environments:
        lambda_runtime.ensure_spawned(environment)
    return environments


def pid_of(environment: ExecutionEnvironment) -> int:
    assert environment._proc is not None
    return int(environment._proc.pid)


def test_more_than_the_cap_are_ended_when_they_are_given_back_and_none_at_work(
    func: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(functions, "MAX_IDLE", 2)
    at_work, *given_back = leased(func, 6)
    pids = [pid_of(environment) for environment in given_back]

    for environment in given_back:
        functions.release(environment)

    wait_until(lambda: sum(not psutil.pid_exists(pid) for pid in pids) == 3, what="three of five processes ended")
    assert at_work.invoke({"a": 1}, "request")["body"] == {"a": 1}
    assert functions.execute(func, {"still": "works"}, "request")["body"] == {"still": "works"}


def test_all_but_one_end_after_some_time_idle_and_not_after_some_time_at_work(func: dict[str, Any]) -> None:
    environments = leased(func, 3)
    pids = [pid_of(environment) for environment in environments]
    for environment in environments:
        environment.last_used = time.time() - 1_000  # as after a long invocation
        functions.release(environment)

    assert lambda_runtime.reap_idle_workers(ttl=60) == 0
    time.sleep(0.01)
    assert lambda_runtime.reap_idle_workers(ttl=0.01) == 2

    wait_until(
        lambda: [psutil.pid_exists(pid) for pid in pids] == [True, False, False], what="two of three processes ended"
    )
