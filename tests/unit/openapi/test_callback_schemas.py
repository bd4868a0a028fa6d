import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from functions.accept.http.openapi import wxo_document
from functions.accept.http.routes import ROUTES
from functions.accept.settings import AccessControl
from imagejobs.callbacks import Base64Callback, BatchCallback, UrlCallback

JOB_ID = "5f0c1d9e-6f3a-4c3b-9b1e-0a4d6c7e8f90"
BATCH: dict[str, Any] = {
    "job_id": JOB_ID,
    "fallback_local": 0,
    "duration_seconds": 12.5,
    "output_bucket": "results",
    "output_prefix": f"results/batch/{JOB_ID}/",
}
PAYLOADS: dict[str, list[Base64Callback | UrlCallback | BatchCallback]] = {
    "processImageAsyncToBase64": [
        Base64Callback(
            status="completed",
            job_id=JOB_ID,
            filename="a.png",
            result_image_base64="eA==",
            result_mime_type="image/png",
        ),
        Base64Callback(status="failed", job_id=JOB_ID, error="OpenAIRejectedError: moderation_blocked"),
    ],
    "processImageAsyncToCos": [
        UrlCallback(
            status="completed", job_id=JOB_ID, object_key="results/a", result_url="https://x/a", expires_in=900
        ),
        UrlCallback(status="failed", job_id=JOB_ID, filename="a.png", error="StorageRejectedError: NoSuchBucket"),
    ],
    "batchProcessImages": [
        BatchCallback(
            status="completed", total_files=2, processed=2, failed=0, total_files_processed=2, errors=[], **BATCH
        ),
        BatchCallback(
            status="completed_with_errors",
            total_files=2,
            processed=1,
            failed=1,
            total_files_processed=1,
            errors=["b.png: UnsupportedImageError: no image"],
            **BATCH,
        ),
        BatchCallback(
            status="failed",
            total_files=0,
            processed=0,
            failed=0,
            total_files_processed=0,
            errors=[],
            error="StorageRejectedError: NoSuchBucket",
            **BATCH,
        ),
    ],
}
SENT = [pytest.param(name, payload, id=f"{name}-{payload.status}") for name in PAYLOADS for payload in PAYLOADS[name]]


def callback_schema(name: str) -> dict[str, Any]:
    document = wxo_document(ROUTES, "https://api.example", access=AccessControl.OPEN)
    operations = {one["operationId"]: one for item in document["paths"].values() for one in item.values()}
    callback = operations[name]["callbacks"]["result"]["{$request.header.callbackUrl}"]
    schema: dict[str, Any] = callback["post"]["requestBody"]["content"]["application/json"]["schema"]
    return schema


@pytest.mark.parametrize(("name", "payload"), SENT)
def test_a_sent_payload_has_the_published_schema(
    name: str, payload: Base64Callback | UrlCallback | BatchCallback
) -> None:
    schema = callback_schema(name)

    assert schema["additionalProperties"] is False
    Draft202012Validator(schema).validate(json.loads(payload.to_json()))


@pytest.mark.parametrize(("name", "payload"), SENT)
def test_the_published_schema_refuses_what_wxo_refuses(
    name: str, payload: Base64Callback | UrlCallback | BatchCallback
) -> None:
    validator = Draft202012Validator(callback_schema(name))
    sent = json.loads(payload.to_json())

    for hurt in (
        sent | {"undeclared": 1},
        {field: value for field, value in sent.items() if field != "job_id"},
        sent | {"job_id": 7},
        sent | {"status": "done"},
        sent | {"filename": None},
    ):
        with pytest.raises(ValidationError):
            validator.validate(hurt)
