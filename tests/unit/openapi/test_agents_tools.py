"""The tools that agents see: what their bodies offer, and how large their answers are."""

from datetime import UTC, datetime

from functions.accept.http.answers import BatchResult, DeliveryState, Job, JobUsage, ModelUsed
from functions.accept.http.list_answers import JobList, ListedJob
from functions.accept.http.openapi import agent_document, wxo_document
from functions.accept.http.requests import JobsQuery
from functions.accept.http.routes import ROUTES
from functions.accept.settings import AccessControl
from tests.unit.openapi.test_documents import URL, operations


def test_agents_are_offered_only_what_they_can_use_well() -> None:
    document = wxo_document(ROUTES, URL, access=AccessControl.OPEN)
    offered = {
        name: set(operation["requestBody"]["content"]["application/json"]["schema"]["properties"])
        for name, operation in operations(document).items()
    }
    common = {"prompt", "size", "output_format", "background"}
    image = common | {"filename", "image_base64", "image_key", "image_url"}

    assert offered == {
        "processImageAsyncToBase64": image,
        "processImageAsyncToCos": image,
        "batchProcessImages": common | {"prefix", "max_files", "output_prefix", "dry_run", "max_cost_usd"},
    }


def test_a_model_is_offered_no_base64() -> None:
    document = agent_document(ROUTES, URL, access=AccessControl.OPEN)
    body = operations(document)["editImage"]["requestBody"]["content"]["application/json"]["schema"]

    assert set(body["properties"]) == {
        *("prompt", "size", "output_format", "background", "filename", "image_key", "image_url")
    }
    assert body["required"] == ["prompt"]


def test_what_a_tool_answers_is_small_enough_for_a_model() -> None:
    now, job_id = datetime(2026, 11, 26, 12, 0, 0, 123456, UTC), "5f0c1d9e-6f3a-4c3b-9b1e-0a4d6c7e8f90"
    result = BatchResult(
        status="completed_with_errors",
        job_id=job_id,
        total_files=1_000_000,
        processed=999_980,
        failed=20,
        fallback_local=0,
        total_files_processed=999_980,
        duration_seconds=86_400.123,
        output_bucket="b" * 63,
        output_prefix=f"results/batch/{'s' * 64}/{job_id}/",
        errors=["e" * 500] * 20,
        report_url="https://" + "u" * 2000,
        expires_in=900,
    )
    used = ModelUsed(
        engine="openai", model="m" * 100, images=10**6, input_tokens=10**9, output_tokens=10**9, cost_usd=9.9
    )
    job = Job(
        job_id=job_id,
        operation="batch",
        status="completed_with_errors",
        created_at=now,
        finished_at=now,
        result=result,
        usage=JobUsage(images=[used] * 4, input_tokens=10**10, output_tokens=10**10, cost_usd=1.5),
        delivery=DeliveryState(status="dead_lettered", attempts=21, last_error="x" * 300),
        as_of=now,
    )
    listed = ListedJob(
        job_id=job_id, operation="batch", status="completed_with_errors", created_at=now, finished_at=now
    )
    page = JobList(jobs=[listed] * JobsQuery.model_fields["limit"].default, next="n" * 60)

    # Some 4,000 and 1,500 tokens.
    assert len(job.model_dump_json(exclude_none=True)) < 16_000
    assert len(page.model_dump_json(exclude_none=True)) < 6_000


def test_request_bodies_keep_what_existing_agents_send() -> None:
    for name in ("processImageAsyncToBase64", "processImageAsyncToCos"):
        body = operations(wxo_document(ROUTES, URL, access=AccessControl.OPEN))[name]["requestBody"]
        schema = body["content"]["application/json"]["schema"]
        assert schema["required"] == ["prompt"]
        assert {field: schema["properties"][field]["type"] for field in ("prompt", "filename", "image_base64")} == {
            "prompt": "string",
            "filename": "string",
            "image_base64": "string",
        }
