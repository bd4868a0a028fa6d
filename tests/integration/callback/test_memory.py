"""The memory that a large result takes, measured in a process of the function's own."""

import base64
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from imagejobs.callbacks import Base64Callback
from imagejobs.job_store import JobStore
from imagejobs.storage import Bucket
from local.event_jobs import JOB_ID as JOB
from standins.receiver import Receiver
from tests.integration.conftest import Account
from tests.support.jobs import job_request

ROOT = Path(__file__).parents[3]
RESULT = bytes(range(256)) * (30 * 1024 * 1024 // 256)
# What docs/delivery.md states: the peak of the whole process, the interpreter and the SDK included.
PEAK_MIB = 320
# Invokes the function with each event given, one after the other, and prints the process's peak in MiB. That is
# Linux's VmHWM: getrusage counts what the parent had when it forked, the whole test run's memory.
INVOKE = """
import json, sys
from functions.callback.app import handler
from tests.support.context import Context
for _ in range(2):
    try:
        handler(json.load(open(sys.argv[1])), Context())
    except Exception as error:
        assert type(error).__name__ == "CallbackFailedError", error
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print("PEAK", int(status["VmHWM"].split()[0]) // 1024)
"""


@pytest.fixture
def environment(account: Account, receiver: Receiver) -> dict[str, str]:
    """The function's environment, with a finished base64 job in its jobs bucket."""
    s3 = account.client("s3")
    s3.create_bucket(Bucket="jobs")
    secret = account.client("secretsmanager").create_secret(
        Name="secret",
        SecretString=json.dumps({"CALLBACK_SIGNING_KEY": "whsec_" + base64.b64encode(b"k" * 32).decode()}),
    )
    store = JobStore(Bucket(s3, "jobs"))
    # A name beyond ASCII, so that text which holds it takes four bytes a character.
    filename = "\N{GRINNING FACE}.png"
    store.create(job_request("base64", job_id=JOB, callback_url=receiver.url(), filename=filename))
    store.bucket.put(f"jobs/{JOB}/result", RESULT, "image/png")
    return {
        **account.environment,
        "PYTHONPATH": f"{ROOT}:{ROOT / 'layers' / 'common'}",
        "JOBS_BUCKET": "jobs",
        "SIGNING_SECRET_ARN": secret["ARN"],
        "CALLBACK_ALLOW_HTTP": "true",
        "CALLBACK_ALLOW_PRIVATE": "true",
    }


def test_a_30_mb_result_is_delivered_within_the_stated_memory(
    environment: dict[str, str], receiver: Receiver, record_property: Callable[[str, object], None]
) -> None:
    receiver.script("/callback", 503, 200)
    event = ROOT / "events" / "callback" / "deliver-base64.json"
    command = [sys.executable, "-c", INVOKE, str(event)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)

    assert done.returncode == 0, done.stderr
    peak = int(done.stdout.split("PEAK ")[1])
    record_property("peak_mib", peak)
    assert peak <= PEAK_MIB
    first, second = (callback.body for callback in receiver.received())
    assert first == second
    assert base64.b64decode(Base64Callback.model_validate_json(first).result_image_base64 or "") == RESULT
