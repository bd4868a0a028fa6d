"""A worker that dies after OpenAI's answer, and the one that comes after it."""

import json
import subprocess
import sys
from typing import Any

from functions.process_image import app
from imagejobs.storage import Bucket
from standins.openai import OpenAIStandIn
from standins.openai_answers import edited
from tests.integration.conftest import Account
from tests.integration.process_image.conftest import EDITED, ROOT, Accept, invoke
from tests.support.jobs import JOB_ID
from tests.support.pictures import picture
from tests.support.waiting import PATIENCE, wait_until

EVENT = json.dumps({"job_id": JOB_ID, "operation": "base64"})


def start_worker(environment: dict[str, str], *arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.integration.process_image.worker", EVENT, *arguments]
    return subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE)


def result_of(worker: subprocess.Popen[bytes]) -> dict[str, Any]:
    output, _ = worker.communicate(timeout=PATIENCE)
    assert worker.returncode == 0
    result = json.loads(output.splitlines()[-1])["result"]
    assert isinstance(result, dict)
    return result


def test_a_worker_killed_before_its_word_is_heard_does_not_cost_a_second_call(
    environment: dict[str, str], account: Account, openai: OpenAIStandIn
) -> None:
    kept = Bucket(account.client("s3"), "jobs")
    first = start_worker(environment, "hold")
    try:
        wait_until(lambda: kept.find(f"jobs/{JOB_ID}/result"))
    finally:
        first.kill()
        first.communicate(timeout=PATIENCE)

    result = result_of(start_worker(environment))

    assert len(openai.calls) == 1
    assert result["engine"] == "openai"


def test_a_worker_killed_while_openai_works_leaves_the_image_to_the_next(
    environment: dict[str, str], openai: OpenAIStandIn
) -> None:
    openai.will_answer(edited(EDITED, delay=PATIENCE), edited(EDITED))
    first = start_worker(environment)
    try:
        wait_until(lambda: openai.calls)
    finally:
        first.kill()
        first.communicate(timeout=PATIENCE)

    # Whether OpenAI charges for an answer that nobody received is not in our hands: it takes no idempotency key.
    assert result_of(start_worker(environment))["engine"] == "openai"
    assert len(openai.calls) == 2


def test_keeping_the_answer_is_the_first_thing_after_it(accept: Accept, openai: OpenAIStandIn) -> None:
    accept("url", picture())
    calls: list[str] = []
    app.resources().clients.s3.meta.events.register(
        "before-call.s3", lambda model, **_: calls.append(f"{model.name} after {len(openai.calls)} paid calls")
    )

    invoke("url")

    assert [call for call in calls if call.endswith("after 1 paid calls")] == ["PutObject after 1 paid calls"]
