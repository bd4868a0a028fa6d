"""What a job's outcome becomes, as its receiver gets it."""

import base64

import pytest
from standardwebhooks import Webhook

from imagejobs.callbacks import Base64Callback, BatchCallback, UrlCallback
from standins.receiver import Receiver
from tests.integration.callback.world import JOB, KEYS, World, event, invoke

# As in `imagejobs.observability`, outside of tests: a call may have nothing to count.
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics to publish")


def test_a_base64_result_arrives_signed_with_its_headers(world: World, receiver: Receiver) -> None:
    world.job(f"{receiver.url()}?token=t", filename='odd "name" é.png')
    world.store.bucket.put(f"jobs/{JOB}/result", b"\x89PNG bytes", "image/png")

    result = invoke("deliver-base64")

    (callback,) = receiver.received()
    headers, body = callback.headers, callback.body
    payload = Base64Callback.model_validate_json(body)
    assert base64.b64decode(payload.result_image_base64 or "") == b"\x89PNG bytes"
    assert (payload.status, payload.job_id, payload.result_mime_type) == ("completed", JOB, "image/png")
    assert payload.filename == 'odd "name" é.png'
    assert headers["content-type"] == "application/json"
    assert headers["x-correlation-id"] == "correlation-1"
    assert headers["webhook-id"] == JOB
    for key in KEYS:
        Webhook(key).verify(body, headers)
    assert result["status"] == "delivered"
    assert world.store.get_delivery(JOB).attempts == 1


def test_a_url_result_is_a_presigned_link_that_expires(world: World, receiver: Receiver) -> None:
    world.job(receiver.url(), "url")

    invoke("deliver-url")

    payload = UrlCallback.model_validate_json(receiver.received()[0].body)
    assert payload.object_key == f"results/{JOB}/photo_modified.png"
    assert payload.expires_in == 900
    assert f"/results/{JOB}/photo_modified.png?" in (payload.result_url or "")
    assert "X-Amz-Expires=900" in (payload.result_url or "")


def test_a_batchs_counts_arrive_with_the_time_since_acceptance(world: World, receiver: Receiver) -> None:
    world.job(receiver.url(), "batch")

    invoke("deliver-batch")

    payload = BatchCallback.model_validate_json(receiver.received()[0].body)
    assert payload.status == "completed_with_errors"
    assert (payload.total_files, payload.processed, payload.failed, payload.fallback_local) == (3, 2, 1, 1)
    assert payload.output_prefix == f"results/batch/{JOB}/"
    assert 5 <= payload.duration_seconds < 30
    assert len(payload.errors) == 2


def test_a_batch_lists_twenty_errors_at_the_most(world: World, receiver: Receiver) -> None:
    world.job(receiver.url(), "batch")
    outcome = event("deliver-batch")["outcome"]
    outcome["summary"]["errors"] = [f"{number}.png: E: e" for number in range(40)]

    invoke("deliver-batch", outcome=outcome)

    assert len(receiver.received()[0].json()["errors"]) == 20


def test_an_error_becomes_a_failed_callback_with_the_message_of_the_sdk(world: World, receiver: Receiver) -> None:
    world.job(receiver.url())

    invoke("deliver-failed")

    assert receiver.received()[0].json() == {
        "status": "failed",
        "job_id": JOB,
        "error": "BadRequestError: Your request was rejected by the safety system.",
    }


def test_a_result_that_is_gone_becomes_a_failed_callback(world: World, receiver: Receiver) -> None:
    world.job(receiver.url())

    invoke("deliver-base64")

    payload = receiver.received()[0].json()
    assert payload["status"] == "failed"
    assert payload["error"].startswith("StorageRejectedError: NoSuchKey")


def test_counts_that_do_not_add_up_become_a_failed_callback_and_no_endless_retry(
    world: World, receiver: Receiver
) -> None:
    world.job(receiver.url(), "batch")
    outcome = event("deliver-batch")["outcome"]
    outcome["summary"]["processed"] = 7

    invoke("deliver-batch", outcome=outcome)

    payload = BatchCallback.model_validate_json(receiver.received()[0].body)
    assert payload.status == "failed"
    assert (payload.error or "").endswith("the result could not be put into a callback")
