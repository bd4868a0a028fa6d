"""What a job's outcome becomes, as its receiver gets it."""

import base64

import pytest
from standardwebhooks import Webhook

from imagejobs.callbacks import Base64Callback, BatchCallback, UrlCallback
from standins.receiver import Receiver
from tests.integration.callback.world import JOB, KEYS, World, invoke
from tests.support.map_runs import map_run

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
    world.job(receiver.url(), "url", filename="photo.jpg")

    invoke("deliver-url")

    payload = UrlCallback.model_validate_json(receiver.received()[0].body)
    assert payload.object_key == f"results/{JOB}/photo_modified.png"
    assert payload.expires_in == 900
    assert f"/results/{JOB}/photo_modified.png?" in (payload.result_url or "")
    assert "X-Amz-Expires=900" in (payload.result_url or "")


def test_a_batchs_counts_arrive_with_the_time_since_acceptance(world: World, receiver: Receiver) -> None:
    world.job(receiver.url(), "batch")
    world.summary(["a.png: E: e", "b.png: OpenAI billing limit -> fallback local applied"])

    invoke("deliver-batch")

    payload = BatchCallback.model_validate_json(receiver.received()[0].body)
    assert payload.status == "completed_with_errors"
    assert (payload.total_files, payload.processed, payload.failed, payload.fallback_local) == (3, 2, 1, 1)
    assert payload.output_prefix == f"results/batch/{JOB}/"
    assert 5 <= payload.duration_seconds < 30
    assert len(payload.errors) == 2


def test_a_batch_lists_twenty_errors_at_the_most(world: World, receiver: Receiver) -> None:
    world.job(receiver.url(), "batch")
    world.summary([f"{number}.png: E: e" for number in range(40)])

    invoke("deliver-batch")

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


def test_a_finished_batch_without_a_summary_has_its_map_runs_counts(world: World, receiver: Receiver) -> None:
    world.job(receiver.url(), "batch")

    with map_run(world.clients.step_functions, "SUCCEEDED", total=5, succeeded=3, failed=2):
        invoke("deliver-failed")

    payload = BatchCallback.model_validate_json(receiver.received()[0].body)
    assert (payload.status, payload.total_files, payload.processed, payload.failed) == (
        "completed_with_errors",
        5,
        3,
        2,
    )
    (error,) = payload.errors
    assert error.startswith("the report could not be written, and fallbacks are not counted: BadRequestError")


def test_a_finished_batch_without_a_failed_image_is_completed_though_its_report_is_missing(
    world: World, receiver: Receiver
) -> None:
    world.job(receiver.url(), "batch")

    with map_run(world.clients.step_functions, "SUCCEEDED", total=5, succeeded=5):
        invoke("deliver-failed")

    assert BatchCallback.model_validate_json(receiver.received()[0].body).status == "completed"


def test_a_batch_that_was_summed_up_keeps_its_result_whatever_comes_after(world: World, receiver: Receiver) -> None:
    world.job(receiver.url(), "batch")
    world.summary(["a.png: E: e"])

    invoke("deliver-failed")

    payload = BatchCallback.model_validate_json(receiver.received()[0].body)
    assert (payload.status, payload.processed, payload.errors) == ("completed_with_errors", 2, ["a.png: E: e"])


def test_counts_that_do_not_add_up_become_a_failed_callback_and_no_endless_retry(
    world: World, receiver: Receiver
) -> None:
    world.job(receiver.url(), "batch")
    world.summary([], processed=7)

    invoke("deliver-batch")

    payload = BatchCallback.model_validate_json(receiver.received()[0].body)
    assert payload.status == "failed"
    assert (payload.error or "").endswith("the result could not be put into a callback")
