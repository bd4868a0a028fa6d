"""Jobs of callers who have no receiver: answers that wait, and batches over HTTP alone, on the embedded AWS."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2

from imagejobs.executions import ExecutionName, Executions
from imagejobs.job_store import JobStore
from local.stack import StackInfo
from standins.openai import OpenAIStandIn
from tests.e2e.conftest import Service, encoded
from tests.support.pictures import picture
from tests.support.waiting import wait_until

IMAGE = {"prompt": "make it blue", "image_base64": encoded(), "filename": "cat.png"}


def test_a_job_without_a_receiver(service: Service, openai: OpenAIStandIn, stack: StackInfo, store: JobStore) -> None:
    key = {"Idempotency-Key": f"no-receiver-{time.monotonic_ns()}"}
    answer = service.http.post("/process-image-async", json=IMAGE, headers={"Prefer": "wait=25", **key})

    assert (answer.status_code, answer.headers["Preference-Applied"]) == (200, "wait=25"), answer.text
    job = answer.json()
    assert (job["status"], job["delivery"]) == ("completed", {"status": "not_requested", "attempts": 0})
    assert httpx2.get(job["result"]["result_url"]).status_code == 200
    executions = Executions(stack.client("stepfunctions"), stack.state_machine_arn)
    wait_until(lambda: executions.find_status(ExecutionName(job["job_id"])) == "SUCCEEDED")
    assert store.get_delivery(job["job_id"]).status == "not_requested"
    assert service.receiver.received() == []
    # The same request again, with another preference, is the same job.
    again = service.http.post("/process-image-async", json=IMAGE, headers={"Prefer": "respond-async", **key})
    assert (again.status_code, again.json()["job_id"]) == (202, job["job_id"])
    assert len(openai.calls) == 1


def test_waiting_for_news_holds_nobody_else_up(service: Service, openai: OpenAIStandIn) -> None:
    openai.fail("hang", seconds=4, times=1)  # and then another attempt
    answer = service.http.post("/process-image-async-b64", json=IMAGE, headers={"Prefer": "respond-async"})
    url = answer.headers["Location"]
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(service.http.get, url, headers={"Prefer": "wait=25"}) for _ in range(4)]
        began = time.monotonic()
        assert service.http.get("/health").status_code == 200
        assert time.monotonic() - began < 3
        answers = [one.result(timeout=40) for one in waiting]

    assert {one.json()["status"] for one in answers} == {"completed"}


def test_a_batch_over_http_alone(service: Service, openai: OpenAIStandIn, stack: StackInfo) -> None:
    pictures = {f"sub/{number}.png": picture() for number in range(4)} | {"broken.png": b"not an image"}
    files = [{"filename": name, "size": len(body)} for name, body in pictures.items()]
    made = service.http.post("/uploads", json={"files": files}).json()
    for upload in made["uploads"]:
        body = pictures[upload["filename"]]
        sent = httpx2.post(upload["url"], data=upload["fields"], files={"file": body}, timeout=60)
        assert sent.is_success, sent.text

    batch = {"prompt": "make it blue", "folder": made["folder"]}
    answer = service.http.post("/batch-process-images", json=batch, headers={"Prefer": "respond-async"})
    job_id = answer.json()["job_id"]
    progress = []
    while (job := wait_for_news(service, job_id))["status"] in ("queued", "running"):
        progress.append((job["as_of"], job.get("progress", {}).get("succeeded", 0)))
    listed = service.http.get(f"/jobs/{job_id}/images?limit=3").json()
    rest = service.http.get(f"/jobs/{job_id}/images?limit=3&cursor={listed['next']}").json()

    assert job["status"] == "completed_with_errors"
    assert progress == sorted(progress)
    images = {image["file"]: image for image in listed["images"] + rest["images"]}
    assert set(images) == set(pictures)
    assert images["broken.png"]["error"].startswith("UnsupportedImageError")
    good = images["sub/0.png"]
    assert httpx2.get(good["before_url"]).content == pictures["sub/0.png"]
    assert httpx2.get(good["after_url"]).status_code == 200
    assert service.http.get("/jobs?limit=1").json()["jobs"][0]["job_id"] == job_id
    # A batch of the whole bucket does not read the folder, and an erasure takes it away.
    assert service.http.delete(f"/jobs/{job_id}/data").status_code == 204
    kept = stack.images_client().list_objects_v2(Bucket=stack.input_bucket, Prefix="image-jobs-uploads/")
    assert not [entry for entry in kept.get("Contents", []) if made["folder"] in entry["Key"]]
    assert service.http.get("/jobs?limit=1").json()["jobs"][0]["status"] == "erased"


def wait_for_news(service: Service, job_id: str) -> dict[str, Any]:
    found: dict[str, Any] = service.http.get(f"/jobs/{job_id}", headers={"Prefer": "wait=25"}).json()
    return found
