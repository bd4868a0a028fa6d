"""What goes wrong, and how a caller hears of it: one callback for each job, whatever happened."""

import base64
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from imagejobs.job_store import JobStore
from local.stack import EmbeddedStack, StackInfo
from standins.openai import OpenAIStandIn
from standins.receiver import Step
from tests.e2e.conftest import Service
from tests.support.pictures import picture
from tests.support.waiting import PATIENCE, wait_until

# What OpenAI does -> how the callback's error begins; None where the job is completed (by the fallback).
FAULTS: dict[str, str | None] = {
    "billing_hard_limit": None,
    "billing_message": None,
    "organization_spend_limit": None,
    "project_spend_limit": None,
    "insufficient_quota": "RateLimitError: ",
    "moderation": "BadRequestError: ",
    "invalid_api_key": "AuthenticationError: ",
    "server_error": "InternalServerError: ",
    "unavailable": "InternalServerError: ",
    "hang": "APITimeoutError: ",
    "drop": "APIConnectionError: ",
    "empty": "",
    "garbage_image": "",
}
RETRIED = {"server_error", "unavailable", "hang", "drop"}


def test_openai_faults_are_retried_or_reported_in_the_sdks_words(service: Service, openai: OpenAIStandIn) -> None:
    for fault in FAULTS:
        openai.fail(fault, prompt=f"<{fault}>")
    jobs = {fault: service.submit_url(prompt=f"edit <{fault}>") for fault in FAULTS}
    payloads = {fault: service.callback(job_id) for fault, job_id in jobs.items()}

    for fault, error in FAULTS.items():
        payload = payloads[fault]
        assert payload["status"] == ("completed" if error is None else "failed"), (fault, payload)
        if error is not None:
            assert payload["error"].startswith(error), (fault, payload["error"])
            assert len(payload["error"]) > len(error)
    calls = {fault: sum(f"<{fault}>" in call.prompt for call in openai.calls) for fault in FAULTS}
    assert {fault for fault, count in calls.items() if count > 1} >= RETRIED
    assert all(calls[fault] == 1 for fault in ("billing_hard_limit", "moderation", "insufficient_quota"))


def test_retry_after_is_waited_out_by_the_state_machine(service: Service, openai: OpenAIStandIn) -> None:
    # Retry-After is rounded up to whole seconds: of three, two are certain (process_image/pacing.py).
    openai.fail("rate_limit", times=2, retry_after=3)
    job_id = service.submit_url()

    assert service.callback(job_id)["status"] == "completed"
    first, second, third = (call.started_at for call in openai.calls)
    assert second - first >= 2
    assert third - second >= 2


def test_the_report_counts_a_failed_images_attempts(
    service: Service, input_folder: Callable[..., str], openai: OpenAIStandIn
) -> None:
    waits = picture(file_format="JPEG")
    folder = input_folder(fails_png=picture(text={"fault": "server_error"}), waits_jpg=waits, notes_txt=b"no image")
    openai.fail("rate_limit", times=1, retry_after=3, filename="image.jpeg")
    openai.fail("moderation", filename="image.jpeg")
    job_id = service.submit_batch(prefix=folder)
    assert service.callback(job_id)["failed"] == 3

    lines = service.http.get(service.job(job_id)["result"]["report_url"]).text.splitlines()
    report = {row["key"].removeprefix(f"{folder}/"): row for row in map(json.loads, lines)}
    calls = Counter(call.filename for call in openai.calls)
    # One retry (EditMaxRetries), or more where the image had to queue behind the other; one wait; none.
    assert calls["image.png"] >= 2
    assert {name: row["attempts"] for name, row in report.items()} == {
        "fails.png": calls["image.png"],
        "waits.jpg": calls["image.jpeg"],
        "notes.txt": 1,
    }
    assert calls["image.jpeg"] == 2
    assert report["waits.jpg"]["error"].startswith("BadRequestError: ")
    assert report["waits.jpg"]["ms"] >= 2000
    assert (report["waits.jpg"]["bytes_in"], report["notes.txt"]["bytes_in"]) == (len(waits), len(b"no image"))


@pytest.mark.parametrize("body", [b"\x89PNG\r\n\x1a\n", picture()[:200]])
def test_damaged_image_fails_with_its_reason(service: Service, openai: OpenAIStandIn, body: bytes) -> None:
    job_id = service.submit("/process-image-async", image_base64=base64.b64encode(body).decode())
    payload = service.callback(job_id)

    assert payload["status"] == "failed"
    assert payload["error"].startswith("UnsupportedImageError: ")
    assert openai.calls == []


def test_receiver_that_answers_503_twice_gets_the_payload_on_the_third_attempt(service: Service) -> None:
    service.receiver.script("/shaky", 503, 503, 200)
    job_id = service.submit_url(path="/shaky")
    attempts = service.receiver.wait(3, path="/shaky", timeout=PATIENCE)

    assert len({attempt.body for attempt in attempts}) == 1
    wait_until(lambda: service.job(job_id)["delivery"] == {"status": "delivered", "attempts": 3})


def test_worker_that_crashes_in_mid_job_loses_nothing(
    service: Service, embedded: EmbeddedStack, openai: OpenAIStandIn
) -> None:
    openai.fail("hang", times=1, seconds=30)
    job_id = service.submit_url()
    wait_until(lambda: openai.calls, what="the call to OpenAI")
    embedded.crash(embedded.info.function_name("ProcessSmallImageFunction"))

    assert service.callback(job_id)["status"] == "completed"
    assert len(openai.calls) == 2


def test_result_that_cannot_be_stored_fails_the_job(
    service: Service, stack: StackInfo, store: JobStore, openai: OpenAIStandIn
) -> None:
    openai.fail("hang", times=1, seconds=1)  # a moment in which the output bucket goes away
    s3 = stack.client("s3")
    listed = s3.list_objects_v2(Bucket=stack.output_bucket).get("Contents", [])
    kept: dict[str, Any] = {
        entry["Key"]: s3.get_object(Bucket=stack.output_bucket, Key=entry["Key"])["Body"].read() for entry in listed
    }
    for key in kept:
        s3.delete_object(Bucket=stack.output_bucket, Key=key)
    s3.delete_bucket(Bucket=stack.output_bucket)
    try:
        payload = service.callback(service.submit_url())
    finally:
        s3.create_bucket(Bucket=stack.output_bucket)
        for key, body in kept.items():
            s3.put_object(Bucket=stack.output_bucket, Key=key, Body=body)

    assert payload["status"] == "failed"
    assert payload["error"].startswith("StorageRejectedError: NoSuchBucket")


def test_a_receiver_that_is_gone_is_dead_lettered_and_redelivered(service: Service) -> None:
    service.receiver.script("/gone", Step(status=410), 200)
    job_id = service.submit_url(path="/gone")
    wait_until(lambda: service.job(job_id)["delivery"]["status"] == "dead_lettered")

    assert service.job(job_id)["status"] == "completed"
    assert service.http.post(f"/jobs/{job_id}/redeliver").status_code == 202
    wait_until(lambda: service.job(job_id)["delivery"]["status"] == "delivered")
    first, second = service.callbacks(job_id)
    assert first.body == second.body
