"""Images that OpenAI's rate limit holds back, and edits that outlive their workers."""

from collections import Counter
from collections.abc import Callable
from functools import partial

from imagejobs.job_store import JobStore
from local.stack import EmbeddedStack
from standins.openai import OpenAIStandIn
from tests.e2e.conftest import Service
from tests.support.pictures import picture
from tests.support.waiting import wait_until


def test_single_jobs_and_a_batch_that_are_held_back_are_all_done_with_few_calls(
    service: Service, input_folder: Callable[..., str], openai: OpenAIStandIn
) -> None:
    names = [f"{number}_png" for number in range(8)]
    folder = input_folder(**{name: picture(40 + number, 40) for number, name in enumerate(names)})
    openai.images_per_minute = 120

    batch = service.submit_batch(prefix=folder, prompt="the batch")
    jobs = [service.submit_url(prompt=f"single {number}") for number in range(12)]
    wait_until(lambda: service.job(jobs[-1]).get("waiting"), what="a job that says that it waits")
    payloads = [service.callback(job_id) for job_id in jobs]
    summary = service.callback(batch)

    assert {payload["status"] for payload in payloads} == {"completed"}
    assert (summary["processed"], summary["failed"]) == (8, 0)
    calls = Counter(call.prompt for call in openai.calls)
    batch_calls = calls.pop("the batch")
    # Six calls an image in the mean of all; one job may need more, since the machine may be busy when its turn comes.
    assert sum(calls.values()) + batch_calls <= 6 * 20
    assert max(calls.values()) <= 8
    ends = sorted(call.ended_at or 0 for call in openai.calls if call.status == 200)
    assert ends[-1] - ends[0] >= 19 * 0.5


def openai_has_been_called(openai: OpenAIStandIn, times: int) -> bool:
    return len(openai.calls) == times


def test_an_edit_that_was_kept_completes_a_job_whose_every_worker_crashed(
    service: Service, embedded: EmbeddedStack, store: JobStore, openai: OpenAIStandIn
) -> None:
    function = embedded.info.function_name("ProcessSmallImageFunction")
    openai.fail("hang", seconds=30)
    job_id = service.submit_base64()

    for attempt in (1, 2, 3):  # CrashRetries is 2
        wait_until(partial(openai_has_been_called, openai, attempt), what=f"attempt {attempt}")
        if attempt == 3:
            # What the worker does with OpenAI's answer before it is heard of.
            metadata = {"engine": "openai", "bytes-in": "100", "ms": "5"}
            store.bucket.put(f"jobs/{job_id}/result", picture(), "image/png", metadata=metadata)
        embedded.crash(function)

    payload = service.callback(job_id)
    assert payload["status"] == "completed"
    assert len(openai.calls) == 3


def test_a_job_whose_every_worker_crashed_without_an_edit_fails_as_the_last_one_did(
    service: Service, embedded: EmbeddedStack, openai: OpenAIStandIn
) -> None:
    function = embedded.info.function_name("ProcessSmallImageFunction")
    openai.fail("hang", seconds=30)
    job_id = service.submit_base64()

    for attempt in (1, 2, 3):
        wait_until(partial(openai_has_been_called, openai, attempt), what=f"attempt {attempt}")
        embedded.crash(function)

    payload = service.callback(job_id)
    assert payload["status"] == "failed"
    assert payload["error"].startswith("Runtime.ExitError")


def test_an_answer_without_an_image_is_asked_for_once_more(service: Service, openai: OpenAIStandIn) -> None:
    openai.fail("empty", prompt="always nothing")
    openai.fail("garbage_image", prompt="once nothing", times=1)

    always, once = service.submit_url(prompt="always nothing"), service.submit_url(prompt="once nothing")

    assert service.callback(always)["error"].startswith("APIResponseValidationError: ")
    assert service.callback(once)["status"] == "completed"
    assert Counter(call.prompt for call in openai.calls) == {"always nothing": 2, "once nothing": 2}
