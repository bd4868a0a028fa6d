"""process_image with a real server in OpenAI's place and moto in AWS's."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.process_image import app
from functions.process_image.places import Places
from functions.process_image.settings import ProcessImageSettings
from imagejobs.job_store import JobRequest, JobStore
from tests.integration.process_image.openai_server import OpenAIServer, openai_server

JOB_ID = "0b6f2c1e-0000-4000-8000-000000000001"
PROMPT = "make the sky purple"

type Configure = Callable[..., None]
type Accept = Callable[..., JobRequest]


class Context(LambdaContext):
    """What Lambda gives a handler, with a minute left."""

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        """Tell the milliseconds left."""
        return 60_000


@pytest.fixture
def openai() -> Iterator[OpenAIServer]:
    """A server in OpenAI's place."""
    with openai_server() as server:
        yield server


@pytest.fixture
def configure(stack: dict[str, str], openai: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> Configure:
    """The function's environment; a call changes some of it."""
    environment = stack | {"OPENAI_BASE_URL": openai.base_url, "OPENAI_TIMEOUT_SECONDS": "5"}

    def change(**variables: str) -> None:
        environment.update(variables)
        resources = Places(ProcessImageSettings.from_environment(environment))
        monkeypatch.setattr(app, "resources", lambda: resources)

    change()
    return change


@pytest.fixture
def accept(configure: Configure, store: JobStore) -> Accept:
    """Record a job as accept does; give its request."""

    def record(operation: str, image: bytes | None = None, **fields: Any) -> JobRequest:
        job = job_request(operation, **fields)
        store.create(job)
        if image is not None:
            store.put_input(job.job_id, image, "application/octet-stream")
        return job

    return record


def job_request(operation: str, **fields: Any) -> JobRequest:
    """A request as accept records it."""
    values = {
        "job_id": JOB_ID,
        "operation": operation,
        "prompt": PROMPT,
        "callback_url": "https://receiver.example/done",
        "correlation_id": "c-1",
        "created_at": datetime.now(UTC),
        "fingerprint": "f",
    }
    return JobRequest.model_validate(values | fields)


def invoke(operation: str, **fields: Any) -> dict[str, Any]:
    """Call the function as the state machine does."""
    return app.handler({"job_id": JOB_ID, "operation": operation, **fields}, Context())


def stored(bucket: str, key: str) -> bytes:
    """Read an object of one of the stack's buckets."""
    return boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()


def keys_in(bucket: str) -> set[str]:
    """List what one of the stack's buckets holds."""
    return {entry["Key"] for entry in boto3.client("s3").list_objects_v2(Bucket=bucket).get("Contents", [])}
