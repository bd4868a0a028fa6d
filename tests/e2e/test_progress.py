"""A job's progress, pushed by the state machine of the embedded AWS."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from standardwebhooks import Webhook

from imagejobs.executions import ExecutionName, Executions
from local.stack import StackInfo
from standins.openai import OpenAIStandIn
from tests.e2e.conftest import Service
from tests.support.pictures import picture
from tests.support.waiting import wait_until

PATH = "/progress"


@pytest.fixture
def quick(stack: StackInfo) -> Iterator[None]:
    """Posts every second in the place of every ten."""
    functions = stack.client("lambda")
    names = [one["FunctionName"] for one in functions.list_functions()["Functions"]]
    (name,) = [name for name in names if "CallbackFunction" in name]
    before = functions.get_function_configuration(FunctionName=name)["Environment"]
    changed = {"Variables": before["Variables"] | {"PROGRESS_SECONDS": "1"}}
    functions.update_function_configuration(FunctionName=name, Environment=changed)
    yield
    functions.update_function_configuration(FunctionName=name, Environment=before)


@pytest.mark.usefixtures("quick")
def test_a_batch_that_asks_is_told_from_its_start_to_its_end_and_its_callback_comes_once_as_ever(
    service: Service,
    openai: OpenAIStandIn,
    stack: StackInfo,
    input_folder: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    executions = Executions(stack.client("stepfunctions"), stack.state_machine_arn)
    folder = input_folder(**{f"image{number}_png": picture() for number in range(3)})
    monkeypatch.setattr(openai, "latency", 4)
    quiet = service.submit_url()

    batch = service.submit_batch(prefix=folder, headers={"progressUrl": service.receiver.url(PATH)})

    reports = ExecutionName(batch, "progress")
    wait_until(lambda: executions.find_status(reports) == "SUCCEEDED", what="the end of the posts")
    received = service.receiver.received(PATH)
    events: list[dict[str, Any]] = [one.json() for one in received]
    types = [event["type"] for event in events]
    assert types == ["job.started", *["job.progress"] * (len(types) - 2), "job.finished"]
    assert len(types) >= 3
    done = [event["progress"]["succeeded"] for event in events[1:]]
    assert done == sorted(done)
    assert events[-1] == events[-1] | {"job_id": batch, "status": "completed"}
    assert events[-1]["progress"] == {"total": 3, "succeeded": 3, "failed": 0, "running": 0, "pending": 0}
    assert [event["at"] for event in events] == sorted(event["at"] for event in events)
    assert len({one.headers["webhook-id"] for one in received} | {batch}) == len(types) + 1
    secret = stack.client("secretsmanager").get_secret_value(SecretId=stack.signing_secret_arn)["SecretString"]
    for one in received:
        Webhook(json.loads(secret)["CALLBACK_SIGNING_KEY"]).verify(one.body, one.headers)
    assert service.callback(batch)["status"] == "completed"
    assert len(service.callbacks(batch)) == 1
    assert service.callback(quiet)["status"] == "completed"
    assert executions.find(ExecutionName(quiet, "progress")) is None
