"""Every file under events/ is taken by the function whose folder it is in: real handlers, moto, sockets on loopback."""

import importlib
import json
from typing import Any

import boto3
import pytest

from functions.accept import app as accept
from functions.accept.resources import AcceptResources
from functions.accept.settings import AcceptSettings
from functions.batch_fanout import app as batch_fanout
from functions.batch_fanout.settings import BatchFanoutSettings
from functions.callback import app as callback
from functions.callback.settings import CallbackSettings
from functions.process_image import app as process_image
from functions.process_image.resources import ProcessImageResources
from functions.process_image.settings import ProcessImageSettings
from imagejobs.executions import Executions
from imagejobs.job_store import JobStore
from imagejobs.resources import Resources
from imagejobs.storage import Bucket
from local import event_jobs
from standins.openai import OpenAIStandIn
from standins.receiver import Receiver
from tests.support.context import Context
from tests.support.event_outcomes import CHECKS, EVENTS, NAMES, Outcome, check


@pytest.fixture(autouse=True)
def _resources(stack: dict[str, str], openai: OpenAIStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """What each function works with, made for this test's stack."""
    local = {"CALLBACK_ALLOW_HTTP": "true", "CALLBACK_ALLOW_PRIVATE": "true", "OPENAI_BASE_URL": openai.base_url}
    made: dict[Any, Resources[Any]] = {
        accept: AcceptResources(AcceptSettings.from_environment(stack | local)),
        batch_fanout: Resources(BatchFanoutSettings.from_environment(stack | local)),
        callback: Resources(CallbackSettings.from_environment(stack | local)),
        process_image: ProcessImageResources(ProcessImageSettings.from_environment(stack | local)),
    }
    for module, resources in made.items():
        monkeypatch.setattr(module, "resources", lambda resources=resources: resources)


def invoke(function: str, event: dict[str, Any]) -> Any:
    """Call a function's handler; what it raises comes as Lambda's error object."""
    context = Context(function)
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
    event_jobs.record(name, event, store, inputs, outputs, receiver.url())

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
