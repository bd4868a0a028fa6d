"""Every file under events/ is taken by the function whose folder it is in: real handlers, moto, sockets on loopback."""

import importlib
import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from aws_lambda_powertools.utilities import parameters

import functions.accept.services as accept_services
import functions.accept.settings as accept_settings
import functions.batch_fanout.settings as batch_fanout_settings
import functions.callback.app as callback_app
import functions.callback.settings as callback_settings
import functions.process_image.settings as process_image_settings
from imagejobs.executions import Executions, step_functions_client
from imagejobs.job_store import JobStore
from imagejobs.storage import Bucket, s3_client
from local import event_jobs
from standins.openai import OpenAIStandIn
from standins.receiver import Receiver
from tests.event_outcomes import CHECKS, EVENTS, NAMES, Outcome, check

_CACHED: list[Any] = [
    accept_settings.get_settings,
    accept_services.store,
    accept_services.executions,
    accept_services.job_reader,
    batch_fanout_settings.get_settings,
    callback_app.service,
    callback_app._sqs_client,
    callback_settings.get_settings,
    process_image_settings.get_settings,
    s3_client,
    step_functions_client,
]


def _forget() -> None:
    for cached in _CACHED:
        cached.cache_clear()
    parameters.clear_caches()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def openai() -> Iterator[OpenAIStandIn]:
    with OpenAIStandIn() as openai:
        yield openai


@pytest.fixture(autouse=True)
def _environment(stack: dict[str, str], openai: OpenAIStandIn, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("CALLBACK_ALLOW_HTTP", "CALLBACK_ALLOW_PRIVATE"):
        monkeypatch.setenv(name, "true")
    monkeypatch.setenv("OPENAI_BASE_URL", openai.base_url)
    _forget()
    yield
    _forget()


def invoke(function: str, event: dict[str, Any]) -> Any:
    """Call a function's handler; what it raises comes as Lambda's error object."""
    context = SimpleNamespace(
        function_name=function,
        memory_limit_in_mb=1024,
        invoked_function_arn="arn",
        aws_request_id="request",
        get_remaining_time_in_millis=lambda: 60_000,
    )
    handler = importlib.import_module(f"functions.{function}.app").handler
    try:
        return handler(event, context)
    except Exception as error:  # noqa: BLE001 - as Lambda does
        return {"errorType": type(error).__name__, "errorMessage": str(error)}


def test_every_event_is_checked() -> None:
    assert set(CHECKS) == set(NAMES)


def test_every_job_of_an_event_is_the_documented_one() -> None:
    for name in NAMES:
        event = json.loads((EVENTS / f"{name}.json").read_text())
        named = event.get("job_id") or event.get("detail", {}).get("name")
        assert named is None or named.removesuffix("-last-word") == event_jobs.JOB_ID, name


@pytest.mark.filterwarnings("ignore:No application metrics to publish")
@pytest.mark.parametrize("name", NAMES)
def test_event_is_taken(
    name: str, stack: dict[str, str], store: JobStore, executions: Executions, receiver: Receiver
) -> None:
    event = json.loads((EVENTS / f"{name}.json").read_text())
    inputs, outputs = (Bucket(boto3.client("s3"), name) for name in ("input", "output"))
    event_jobs.record(event, store, inputs, outputs, receiver.url())

    result = invoke(name.partition("/")[0], event)

    queue = boto3.client("sqs").receive_message(QueueUrl=stack["DEAD_LETTER_QUEUE_URL"], MaxNumberOfMessages=10)
    outcome = Outcome(
        result=result,
        jobs=store,
        outputs=outputs,
        executions=executions,
        callbacks=[one.json() for one in receiver.received()],
        dead_letters=[json.loads(message["Body"]) for message in queue.get("Messages", [])],
    )
    check(name, outcome)
