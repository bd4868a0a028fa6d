"""process_image with a real server in OpenAI's place and moto in AWS's."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from aws_lambda_powertools.utilities import parameters
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.process_image import app
from functions.process_image.settings import get_settings
from imagejobs.job_store import JobRequest, JobStore
from imagejobs.storage import s3_client
from tests.integration.process_image.openai_server import OpenAIServer, openai_server

JOB_ID = "0b6f2c1e-0000-4000-8000-000000000001"


class Context(LambdaContext):
    """What Lambda gives a handler, with a minute left."""

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


@pytest.fixture
def openai() -> Iterator[OpenAIServer]:
    """A server in OpenAI's place."""
    with openai_server() as server:
        yield server


@pytest.fixture
def configure(
    stack: dict[str, str], openai: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., None]]:
    """The function's environment; a call changes some of it."""

    def set_environment(**variables: str) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        get_settings.cache_clear()

    s3_client.cache_clear()
    parameters.clear_caches()
    set_environment(OPENAI_BASE_URL=openai.base_url, OPENAI_TIMEOUT_SECONDS="5")
    yield set_environment
    get_settings.cache_clear()
    s3_client.cache_clear()


@pytest.fixture
def accepted(configure: Callable[..., None], store: JobStore) -> Callable[..., JobRequest]:
    """Record a job as accept does; give its request."""

    def record(operation: str, image: bytes | None = None, **fields: Any) -> JobRequest:
        values = {
            "job_id": JOB_ID,
            "operation": operation,
            "prompt": "make the sky purple",
            "callback_url": "https://receiver.example/done",
            "correlation_id": "c-1",
            "created_at": datetime.now(UTC),
            "fingerprint": "f",
        }
        job = JobRequest.model_validate(values | fields)
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
    body = boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    assert isinstance(body, bytes)
    return body
