"""batch_fanout on real buckets (moto), and what its tests put there and read from there."""

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends

from functions.batch_fanout import app
from functions.batch_fanout.settings import BatchFanoutSettings
from imagejobs.job_store import JobStore
from imagejobs.resources import Resources
from imagejobs.workflow import BatchSummary
from tests.support.batches import put_manifest
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


def fill(*keys: str) -> None:
    """Put objects of one byte into the input bucket: into moto itself, since requests for thousands take minutes."""
    account = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
    for key in keys:
        account.put_object("input", key, b"x")


def manifest_lines(store: JobStore) -> list[dict[str, Any]]:
    return [json.loads(line) for line in store.bucket.get(MANIFEST_KEY).body.decode().splitlines()]


def listed(store: JobStore) -> list[str]:
    return [line["key"] for line in manifest_lines(store)]


def child(at: int, **fields: Any) -> dict[str, Any]:
    """A child execution as ResultWriter writes it."""
    return {
        "ExecutionArn": "arn:aws:states:eu-central-1:123456789012:execution:image-job/EditEachImage:x",
        "Input": json.dumps({"job_id": JOB_ID, "operation": "batch", "at": at}),
        "InputDetails": {"Included": True},
        "Name": "x",
        "OutputDetails": {"Included": True},
        "RedriveCount": 0,
        "RedriveStatus": "NOT_REDRIVABLE",
        "StartDate": "2026-11-01T00:00:00.000Z",
        "StateMachineArn": "arn:aws:states:eu-central-1:123456789012:stateMachine:image-job/EditEachImage",
        "Status": "SUCCEEDED",
        "StopDate": "2026-11-01T00:00:01.000Z",
        **fields,
    }


def edited(at: int, **fields: Any) -> dict[str, Any]:
    output = {
        "status": "edited",
        "content_type": "image/png",
        "engine": "openai",
        "attempts": 1,
        "bytes_in": 10,
        "bytes_out": 20,
        "ms": 30,
    }
    return child(at, Output=json.dumps(output | fields))


def fallen_back(at: int, **fields: Any) -> dict[str, Any]:
    return edited(at, engine="local_fallback", stands_in_for="openai", **fields)


def failed(at: int) -> dict[str, Any]:
    """As the state ImageFailed ends a child."""
    caught = {"errorMessage": "cannot identify image", "errorType": "UnsupportedImageError", "stackTrace": []}
    cause = {"cause": json.dumps(caught), "retries": 1, "waited": {"attempts": 2}}
    return child(at, Status="FAILED", Error="UnsupportedImageError", Cause=json.dumps(cause))


def write_results(store: JobStore, succeeded: list[dict[str, Any]], failures: list[dict[str, Any]]) -> dict[str, str]:
    prefix = f"jobs/{JOB_ID}/map-runs/run"
    files: dict[str, list[dict[str, Any]]] = {"FAILED": [], "PENDING": [], "SUCCEEDED": []}
    for status, children in (("SUCCEEDED", succeeded), ("FAILED", failures)):
        if children:
            body = "".join(json.dumps(child) + "\n" for child in children).encode()
            store.bucket.put(f"{prefix}/{status}_0.jsonl", body, "application/json")
            files[status].append({"Key": f"{prefix}/{status}_0.jsonl", "Size": len(body)})
    manifest = {"DestinationBucket": "jobs", "MapRunArn": "arn", "ResultFiles": files}
    store.bucket.put(f"{prefix}/manifest.json", json.dumps(manifest).encode(), "application/json")
    return {"Bucket": "jobs", "Key": f"{prefix}/manifest.json"}


def write_manifest(store: JobStore, keys: list[str]) -> dict[str, int]:
    return put_manifest(store, JOB_ID, keys)


def summarize(results: dict[str, str] | None) -> dict[str, Any]:
    return invoke(action="summarize_batch", manifest_key=MANIFEST_KEY, results=results)


def summary_of(store: JobStore) -> BatchSummary:
    found = store.find_summary(JOB_ID)
    assert found
    return found


def report() -> list[dict[str, Any]]:
    key = f"results/batch/{JOB_ID}/report.jsonl"
    body = boto3.client("s3").get_object(Bucket="output", Key=key)["Body"].read().decode()
    return [json.loads(line) for line in body.splitlines()]
