"""batch_fanout on real buckets (moto), and what its tests put there and read from there."""

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest

from functions.batch_fanout import app
from functions.batch_fanout.settings import BatchFanoutSettings
from imagejobs.job_store import JobStore
from imagejobs.resources import Resources
from tests.support.context import Context
from tests.support.jobs import JOB_ID, job_request

MANIFEST_KEY = f"jobs/{JOB_ID}/manifest.jsonl"


type Configure = Callable[..., None]


@pytest.fixture(autouse=True)
def configure(stack: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Configure:
    """The function's environment; a call changes some of it."""

    def configured(**variables: str) -> None:
        resources = Resources(BatchFanoutSettings.from_environment(stack | variables))
        monkeypatch.setattr(app, "resources", lambda: resources)

    configured()
    return configured


def record(store: JobStore, **choices: Any) -> None:
    store.create(job_request("batch", **choices))


def invoke(**event: Any) -> dict[str, Any]:
    return app.handler({"job_id": JOB_ID, **event}, Context())


def fill(*keys: str, bucket: str = "input") -> None:
    s3 = boto3.client("s3")
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")


def manifest_lines(store: JobStore) -> list[dict[str, Any]]:
    return [json.loads(line) for line in store.bucket.get(MANIFEST_KEY).body.decode().splitlines()]


def listed(store: JobStore) -> list[str]:
    return [line["key"] for line in manifest_lines(store)]
