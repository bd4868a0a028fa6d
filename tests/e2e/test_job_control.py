"""Jobs seen, stopped, repeated and fed with large images, on the embedded AWS."""

import io
import json
import time
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest
from PIL import Image

from imagejobs.executions import ExecutionName, Executions
from local.stack import StackInfo
from standins.openai import OpenAIStandIn
from standins.openai_answers import edited
from standins.receiver import Step
from standins.server import Answer
from tests.e2e.conftest import Service, encoded
from tests.support.pictures import picture
from tests.support.waiting import wait_until, wait_until_still


def test_cancelling_a_batch_in_mid_run(
    service: Service, openai: OpenAIStandIn, input_folder: Callable[..., str], stack: StackInfo
) -> None:
    folder = input_folder(**{f"i{number:02}_png": picture() for number in range(40)})
    # Three edits work; each of the others takes a second, and then another attempt.
    openai.will_answer(*[edited(picture())] * 3, Answer(connection="hang", seconds=1))
    job_id = service.submit_batch(prefix=folder)
    wait_until(lambda: service.job(job_id).get("progress", {}).get("succeeded") == 3, what="the first edits")
    assert service.job(job_id)["progress"]["total"] == 40

    assert service.http.delete(f"/jobs/{job_id}").status_code == 202
    assert service.http.delete(f"/jobs/{job_id}").status_code == 202
    payload = service.callback(job_id)
    wait_until(lambda: all(call.ended_at for call in openai.calls), what="the end of what was under way")
    started = wait_until_still(lambda: len(openai.calls))

    assert (payload["status"], payload["error"], payload["processed"]) == ("failed", "cancelled", 3)
    assert len(service.callbacks(job_id)) == 1
    assert started < 40
    job = service.job(job_id)
    assert (job["status"], job["error"]) == ("cancelled", "cancelled")
    executions = Executions(stack.client("stepfunctions"), stack.state_machine_arn)
    assert executions.find_status(ExecutionName(job_id)) == "ABORTED"
    # What was made is reported, and a retry edits the others.
    lines = httpx2.get(job["result"]["report_url"]).text.splitlines()
    assert Counter(json.loads(line)["status"] for line in lines) == {"completed": 3, "failed": 37}
    retried = service.http.post(f"/jobs/{job_id}/retry").json()["job_id"]
    wait_until(lambda: service.job(retried).get("progress", {}).get("total") == 37, what="the others")
    service.http.delete(f"/jobs/{retried}")
    service.callback(retried)


def test_a_decided_job_is_not_cancelled(service: Service) -> None:
    job_id = service.submit_url()
    service.callback(job_id)

    assert service.http.delete(f"/jobs/{job_id}").status_code == 409


def test_twenty_posts_with_one_key_are_one_job(service: Service, stack: StackInfo, openai: OpenAIStandIn) -> None:
    key = {"Idempotency-Key": f"order-{uuid.uuid4()}"}
    with ThreadPoolExecutor(20) as pool:
        job_ids = set(pool.map(lambda _: service.submit_url(headers=key), range(20)))
    (job_id,) = job_ids
    service.callback(job_id)

    assert len(openai.calls) == 1
    assert len(service.callbacks(job_id)) == 1
    assert service.submit_url(headers=key) == job_id  # also when it has ended
    other = {"prompt": "make it red", "image_base64": encoded()}
    answer = service.http.post(
        "/process-image-async", json=other, headers={"callbackUrl": service.receiver.url(), **key}
    )
    assert answer.status_code == 409


def test_a_status_polled_fifty_times_a_second(
    service: Service, openai: OpenAIStandIn, input_folder: Callable[..., str]
) -> None:
    folder = input_folder(**{f"i{number}_png": picture() for number in range(3)})
    openai.fail("hang", seconds=2, times=3)
    job_id = service.submit_batch(prefix=folder)

    def poll(number: int) -> int:
        time.sleep(number / 50)
        return service.http.get(f"/jobs/{job_id}").status_code

    with ThreadPoolExecutor(10) as pool:
        statuses = list(pool.map(poll, [number % 50 for number in range(100)]))

    assert set(statuses) == {200}
    service.callback(job_id)


@pytest.mark.parametrize("path", ["/job", "/nothing-here"])
def test_an_unknown_route_is_answered_in_the_contracts_form(service: Service, path: str) -> None:
    answer = service.http.get(path)

    assert (answer.status_code, list(answer.json())) == (404, ["detail"])
    assert answer.headers["x-correlation-id"]


def test_a_job_id_of_another_stack(service: Service) -> None:
    stranger = str(uuid.uuid4())

    assert service.http.get(f"/jobs/{stranger}").status_code == 404
    assert service.http.delete(f"/jobs/{stranger}").status_code == 404
    assert service.http.post(f"/jobs/{stranger}/redeliver").status_code == 404


def large_picture(size: int) -> bytes:
    """A BMP of exactly `size` bytes: as large as a photograph, at no cost in time."""
    side = 3800
    buffer = io.BytesIO()
    Image.effect_noise((side, side), 80).convert("RGB").save(buffer, "BMP")
    return buffer.getvalue().ljust(size, b"\0")


def test_a_45_mb_upload_goes_the_whole_way(service: Service, openai: OpenAIStandIn) -> None:
    image = large_picture(45_000_000)
    upload = service.http.post(
        "/uploads", json={"filename": "big.bmp", "content_type": "image/bmp", "size": len(image)}
    ).json()

    shorter = httpx2.post(upload["url"], data=upload["fields"], files={"file": image[:1000]}, timeout=60)
    assert shorter.status_code == 400, "a form takes exactly the size that it was made for"
    assert httpx2.post(upload["url"], data=upload["fields"], files={"file": image}, timeout=60).status_code == 204
    job_id = service.submit("/process-image-async", image_key=upload["image_key"], filename="big.bmp")
    payload = service.callback(job_id)

    assert payload["status"] == "completed", payload
    assert len(openai.calls) == 1


def test_an_image_url_is_fetched_by_the_worker(service: Service) -> None:
    service.receiver.script("/cat.png", Step(body=picture()))
    service.receiver.script("/page.html", Step(body="<html>"))
    good, bad = (
        service.submit("/process-image-async-b64", image_url=service.receiver.url(path))
        for path in ("/cat.png", "/page.html")
    )

    assert service.callback(good)["status"] == "completed"
    payload = service.callback(bad)
    assert payload["status"] == "failed"
    assert payload["error"].startswith("UnsupportedImageError: ")


def test_every_refusal_has_the_contracts_form(service: Service) -> None:
    headers = {"callbackUrl": "x", "x-correlation-id": "trace-1"}
    large = service.http.post("/process-image-async", content=b"x" * 7_000_000, headers=headers)
    assert large.status_code == 413
    assert "/uploads" in large.json()["detail"]
    assert large.headers["x-correlation-id"] == "trace-1"
    assert service.http.get("/nothing").json()["detail"]
    assert service.http.head("/health").status_code == 200
