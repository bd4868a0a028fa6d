"""Jobs of callers who have no receiver: answers that wait, and batches over HTTP alone, on the embedded AWS."""

import time
from concurrent.futures import ThreadPoolExecutor

import httpx2

from imagejobs.executions import ExecutionName, Executions
from imagejobs.job_store import JobStore
from local.stack import StackInfo
from standins.openai import OpenAIStandIn
from tests.e2e.conftest import Service, encoded
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
