"""`sam local invoke` for every event, in Docker, against the stack on the embedded AWS: `make test-sam-local`."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from imagejobs.executions import ExecutionName, Executions
from imagejobs.job_store import JobStore
from imagejobs.storage import Bucket
from local import sam_local
from local.event_jobs import JOB_ID
from local.processes import StartError
from local.sam_local import SamLocal
from local.stack import EmbeddedStack, Options, Ports, StackInfo
from tests.support.event_outcomes import EVENTS, NAMES, Outcome, check
from tests.support.waiting import wait_until

pytestmark = pytest.mark.sam_local


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackInfo]:
    """The stack, deployed for these tests where Docker runs."""
    try:
        sam_local.engine()
    except StartError as error:
        pytest.skip(f"`sam local invoke` was not run: {error}")
    options = Options(ports=Ports.free(), state_dir=tmp_path_factory.mktemp("local"), openai_latency=0.05)
    with EmbeddedStack(options) as embedded:
        yield embedded.info


@pytest.fixture(scope="module")
def sam(stack: StackInfo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SamLocal]:
    """SAM, with the stack's functions."""
    image = os.environ.get("INVOKE_IMAGE") or sam_local.IMAGE
    with SamLocal(stack, tmp_path_factory.mktemp("sam"), image) as sam:
        yield sam


@pytest.fixture
def executions(stack: StackInfo) -> Iterator[Executions]:
    """The executions, the last word's seen to its end, so that it delivers nothing into a later test."""
    executions = Executions(stack.client("stepfunctions"), stack.state_machine_arn)
    yield executions
    wait_until(lambda: executions.find_status(ExecutionName(JOB_ID, "last-word")) != "RUNNING", what="the last word")


@pytest.mark.parametrize("name", NAMES)
def test_function_takes_its_event(
    name: str, stack: StackInfo, sam: SamLocal, executions: Executions, tmp_path: Path
) -> None:
    httpx2.post(f"{stack.receiver_url}/_control/reset").raise_for_status()

    result = sam.invoke(copied(name, stack, tmp_path)).result

    outcome = Outcome(
        result=result,
        jobs=JobStore(Bucket(stack.client("s3"), stack.jobs_bucket)),
        outputs=Bucket(stack.images_client(), stack.output_bucket),
        executions=executions,
        callbacks=callbacks(stack),
        dead_letters=dead_letters(stack),
    )
    check(name, outcome)


def copied(name: str, stack: StackInfo, folder: Path) -> Path:
    """Copy an event file, with this stack's receiver in place of the one that `make up` starts."""
    path = folder / f"{name}.json"
    path.parent.mkdir()
    path.write_text((EVENTS / f"{name}.json").read_text().replace("http://127.0.0.1:8082", stack.receiver_url))
    return path


def callbacks(stack: StackInfo) -> list[dict[str, object]]:
    """The payloads that the stack's receiver got for the job of the events."""
    received = httpx2.get(f"{stack.receiver_url}/_control/requests").raise_for_status().json()
    return [json.loads(one["body"]) for one in received if one["headers"].get("webhook-id") == JOB_ID]


def dead_letters(stack: StackInfo) -> list[dict[str, object]]:
    """Take what is on the dead-letter queue."""
    queue, url = stack.client("sqs"), stack.dead_letter_queue_url
    messages = queue.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    for message in messages:
        queue.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return [json.loads(message["Body"]) for message in messages]
