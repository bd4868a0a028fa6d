"""process_image with a real server in OpenAI's place and moto in AWS's."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from functions.process_image import app
from functions.process_image.resources import ProcessImageResources
from functions.process_image.settings import ProcessImageSettings
from imagejobs.job_request import JobRequest
from imagejobs.job_store import JobStore
from imagejobs.storage import Bucket
from imagejobs.workflow import Operation
from standins.openai import OpenAIStandIn
from standins.openai_answers import edited
from tests.integration.conftest import Account
from tests.support.context import Context
from tests.support.jobs import JOB_ID, job_request
from tests.support.pictures import picture

ROOT = Path(__file__).parents[3]
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


@pytest.fixture
def environment(account: Account, openai: OpenAIStandIn) -> dict[str, str]:
    """A worker's environment; the account has its job."""
    s3 = account.client("s3")
    s3.create_bucket(Bucket="jobs")
    arn = account.client("secretsmanager").create_secret(Name="secrets", SecretString='{"OPENAI_API_KEY": "sk-test"}')[
        "ARN"
    ]
    store = JobStore(Bucket(s3, "jobs"))
    store.create(job_request("base64"))
    store.put_input(JOB_ID, picture(), "image/png")
    ours = {
        "JOBS_BUCKET": "jobs",
        "SECRET_ARN": arn,
        "OPENAI_BASE_URL": openai.base_url,
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "layers" / "common")]),
    }
    return os.environ | account.environment | ours


def invoke(operation: str, **fields: Any) -> dict[str, Any]:
    """Call the function as the state machine does."""
    return app.handler({"job_id": JOB_ID, "operation": operation, **fields}, Context())


def stored(bucket: str, key: str) -> bytes:
    """Read an object of one of the stack's buckets."""
    return boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()


def keys_in(bucket: str) -> set[str]:
    """List what one of the stack's buckets holds."""
    return {entry["Key"] for entry in boto3.client("s3").list_objects_v2(Bucket=bucket).get("Contents", [])}
