"""process_image with a real server in OpenAI's place and moto in AWS's."""

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest

from functions.process_image import app
from functions.process_image.resources import ProcessImageResources
from functions.process_image.settings import ProcessImageSettings
from imagejobs.job_request import JobRequest
from imagejobs.job_store import JobStore
from imagejobs.workflow import Operation
from standins.openai import OpenAIStandIn
from standins.openai_answers import edited
from tests.support.context import Context
from tests.support.jobs import JOB_ID, job_request
from tests.support.pictures import picture

EDITED = picture(96, 64, "crimson")

type Configure = Callable[..., None]
type Accept = Callable[..., JobRequest]


@pytest.fixture
def openai() -> Iterator[OpenAIStandIn]:
    """OpenAI's stand-in, which answers every edit with EDITED until told otherwise."""
    with OpenAIStandIn(latency=0) as server:
        server.will_answer(edited(EDITED))
        yield server


@pytest.fixture
def configure(stack: dict[str, str], openai: OpenAIStandIn, monkeypatch: pytest.MonkeyPatch) -> Configure:
    """The function's environment; a call changes some of it."""
    environment = stack | {"OPENAI_BASE_URL": openai.base_url, "OPENAI_TIMEOUT_SECONDS": "60"}

    def change(**variables: str) -> None:
        environment.update(variables)
        resources = ProcessImageResources(ProcessImageSettings.from_environment(environment))
        monkeypatch.setattr(app, "resources", lambda: resources)

    change()
    return change


@pytest.fixture
def accept(configure: Configure, store: JobStore) -> Accept:
    """Record a job as accept does; give its request."""

    def record(operation: Operation, image: bytes | None = None, **fields: Any) -> JobRequest:
        job = job_request(operation, **fields)
        store.create(job)
        if image is not None:
            store.put_input(job.job_id, image, "application/octet-stream")
        return job

    return record


def invoke(operation: str, **fields: Any) -> dict[str, Any]:
    """Call the function as the state machine does."""
    return app.handler({"job_id": JOB_ID, "operation": operation, **fields}, Context())


def stored(bucket: str, key: str) -> bytes:
    """Read an object of one of the stack's buckets."""
    return boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()


def keys_in(bucket: str) -> set[str]:
    """List what one of the stack's buckets holds."""
    return {entry["Key"] for entry in boto3.client("s3").list_objects_v2(Bucket=bucket).get("Contents", [])}
