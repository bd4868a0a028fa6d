"""The memory that a large result takes, measured in a process of the function's own."""

import base64
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from imagejobs.callbacks import Base64Callback
from imagejobs.job_store import JobRequest, JobStore
from imagejobs.storage import Bucket

ROOT = Path(__file__).parents[3]
JOB = "7c1e0c9a-5d1f-4a6e-9a54-0d6f5f1b2c3d"
RESULT_BYTES = 30 * 1024 * 1024
# What docs/delivery.md states: the peak of the whole process, the interpreter and the SDK included.
PEAK_MIB = 320
# Invokes the function with each event given, one after the other, and prints the process's peak in MiB. That is
# Linux's VmHWM: getrusage counts what the parent had when it forked, the whole test run's memory.
INVOKE = """
import json, sys
from types import SimpleNamespace
from functions.callback.app import handler
context = SimpleNamespace(function_name="f", memory_limit_in_mb=1, invoked_function_arn="a", aws_request_id="r")
for _ in range(2):
    try:
        handler(json.load(open(sys.argv[1])), context)
    except Exception as error:
        assert type(error).__name__ == "CallbackFailedError", error
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print("PEAK", int(status["VmHWM"].split()[0]) // 1024)
"""


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch):
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    environment = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "eu-central-1",
    }
    yield environment
    server.stop()


def test_a_30_mb_result_is_delivered_within_the_stated_memory(aws, serve, record_property):
    bodies = []

    def behaviour(connection, head):
        length = next(int(line[16:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length: "))
        body = bytearray()
        while len(body) < length:
            body += connection.recv(1 << 20)
        bodies.append(bytes(body))
        status = 503 if len(bodies) == 1 else 200
        connection.sendall(f"HTTP/1.1 {status} Whatever\r\nContent-Length: 0\r\n\r\n".encode())

    receiver = serve(behaviour)
    options = {
        "endpoint_url": aws["AWS_ENDPOINT_URL"],
        "region_name": "eu-central-1",
        "aws_access_key_id": "testing",
        "aws_secret_access_key": "testing",
    }
    s3 = boto3.client("s3", **options)
    s3.create_bucket(Bucket="jobs", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    secret = boto3.client("secretsmanager", **options).create_secret(
        Name="secret",
        SecretString=json.dumps({"CALLBACK_SIGNING_KEY": "whsec_" + base64.b64encode(b"k" * 32).decode()}),
    )
    store = JobStore(Bucket(s3, "jobs"))
    store.create(
        JobRequest(
            job_id=JOB,
            operation="base64",
            prompt="p",
            callback_url=receiver.url,
            correlation_id="c",
            created_at=datetime.now(UTC),
            # Beyond ASCII, so that text which holds it takes four bytes a character.
            filename="\N{GRINNING FACE}.png",
        )
    )
    result = bytes(range(256)) * (RESULT_BYTES // 256)
    store.bucket.put(f"jobs/{JOB}/result", result, "image/png")

    done = subprocess.run(
        [sys.executable, "-c", INVOKE, str(ROOT / "events" / "callback" / "deliver-base64.json")],
        cwd=ROOT,
        env={
            **aws,
            "PYTHONPATH": f"{ROOT}:{ROOT / 'layers' / 'common'}",
            "JOBS_BUCKET": "jobs",
            "SECRET_ARN": secret["ARN"],
            "CALLBACK_ALLOW_HTTP": "true",
            "CALLBACK_ALLOW_PRIVATE": "true",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    peak = int(done.stdout.split("PEAK ")[1])
    record_property("peak_mib", peak)
    print(f"a {RESULT_BYTES >> 20} MiB result, built and sent twice: peak {peak} MiB, stated {PEAK_MIB} MiB")
    assert peak <= PEAK_MIB
    assert len(bodies) == 2
    assert bodies[0] == bodies[1]
    assert base64.b64decode(Base64Callback.model_validate_json(bodies[0]).result_image_base64) == result
