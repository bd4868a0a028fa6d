"""The embedded stack itself: what stack.json promises, and that COS is really taken."""

import json
from base64 import b64encode
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx2
import pytest
from PIL import Image

from local import processes
from local.stack import EmbeddedStack, Options, Ports, StackInfo
from standins import cos
from standins.receiver import Receiver
from tests.support.waiting import PATIENCE


def test_stack_json_says_where_everything_is(embedded: EmbeddedStack, stack: StackInfo, http: httpx2.Client) -> None:
    written = json.loads((embedded.options.state_dir / "stack.json").read_text())

    assert StackInfo(**written) == stack
    assert http.get(f"{stack.api_url}/health").json()["ok"] is True
    for bucket in (stack.input_bucket, stack.output_bucket, stack.jobs_bucket):
        stack.client("s3").head_bucket(Bucket=bucket)
    queue = stack.client("sqs").get_queue_attributes(QueueUrl=stack.dead_letter_queue_url, AttributeNames=["QueueArn"])
    assert queue["Attributes"]["QueueArn"]
    machine = stack.client("stepfunctions").describe_state_machine(stateMachineArn=stack.state_machine_arn)
    assert machine["status"] == "ACTIVE"


def test_the_owners_secret_is_filled_and_the_signing_key_is_as_the_stack_made_it(
    embedded: EmbeddedStack, stack: StackInfo
) -> None:
    def secret(arn: str) -> Any:
        return json.loads(stack.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"])

    assert secret(stack.secret_arn)["OPENAI_API_KEY"] == embedded.options.openai_api_key
    assert {name: len(value) for name, value in secret(stack.signing_secret_arn).items()} == {
        "CALLBACK_SIGNING_KEY": 44
    }


def test_a_throttled_api_asks_to_come_back(stack: StackInfo, http: httpx2.Client) -> None:
    functions = stack.client("lambda")
    (name,) = (
        one["FunctionName"] for one in functions.list_functions()["Functions"] if "Accept" in one["FunctionName"]
    )
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    try:
        refused = http.get(f"{stack.api_url}/health", headers={"x-correlation-id": "trace-2"})
    finally:
        functions.delete_function_concurrency(FunctionName=name)

    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) > 0
    assert refused.headers["x-correlation-id"] == "trace-2"
    assert "Send the request again" in refused.json()["detail"]
    assert http.get(f"{stack.api_url}/health").status_code == 200


def test_the_state_machine_makes_the_attempts_that_health_tells_of(stack: StackInfo, http: httpx2.Client) -> None:
    attempts = http.get(f"{stack.api_url}/health").json()["callback_retries"]
    machine = stack.client("stepfunctions").describe_state_machine(stateMachineArn=stack.state_machine_arn)

    retrier = json.loads(machine["definition"])["States"]["DeliverCallback"]["Retry"][-1]
    assert retrier["MaxAttempts"] == attempts - 1


@pytest.fixture(scope="module")
def with_cos(tmp_path_factory: pytest.TempPathFactory) -> EmbeddedStack:
    folder: Path = tmp_path_factory.mktemp("with-cos")
    return EmbeddedStack(
        Options(
            ports=Ports.free(),
            state_dir=folder,
            openai_latency=0,
            with_cos=True,
            with_receiver=False,
            parameters={"EditMaxRetries": "0"},
        )
    )


def batch_runs_on_cos(info: StackInfo, image: bytes, receiver: Receiver, http: httpx2.Client) -> None:
    images = info.images_client()
    for name in ("a.png", "sub/a.png"):
        images.put_object(Bucket=info.input_bucket, Key=name, Body=image, ContentType="image/png")
    answer = http.post(
        f"{info.api_url}/batch-process-images",
        json={"prompt": "make it blue"},
        headers={"callbackUrl": receiver.url()},
    )
    payload = receiver.wait(timeout=PATIENCE)[0].json()

    assert answer.status_code == 202
    assert (payload["status"], payload["processed"]) == ("completed", 2)
    assert payload["output_bucket"] == cos.OUTPUT_BUCKET
    listed = images.list_objects_v2(Bucket=cos.OUTPUT_BUCKET, Prefix=payload["output_prefix"])["Contents"]
    assert len([entry for entry in listed if entry["Key"].endswith(".png")]) == 2
    assert "wxo-image-jobs" not in {bucket["Name"] for bucket in images.list_buckets()["Buckets"]}


def job_tells_of_a_cos_that_is_gone(info: StackInfo, image: bytes, receiver: Receiver, http: httpx2.Client) -> None:
    http.post(
        f"{info.api_url}/process-image-async",
        json={"prompt": "make it blue", "image_base64": b64encode(image).decode()},
        headers={"callbackUrl": receiver.url()},
    )
    failed = receiver.wait(2, timeout=PATIENCE)[1].json()

    assert failed["status"] == "failed"
    assert failed["error"].startswith("StorageUnavailableError: the object storage could not be reached")


def test_a_batch_runs_on_cos_and_comes_and_goes_as_often_as_asked(
    with_cos: EmbeddedStack, receiver: Receiver, http: httpx2.Client
) -> None:
    out = BytesIO()
    Image.radial_gradient("L").save(out, "PNG")
    try:
        info = with_cos.up()
        batch_runs_on_cos(info, out.getvalue(), receiver, http)
        started = processes.recorded(with_cos.options.state_dir / "processes.json")
        next(process for process in started if process.name == "cos").stop()
        job_tells_of_a_cos_that_is_gone(info, out.getvalue(), receiver, http)
    finally:
        stopped = with_cos.down()

    assert sorted(stopped) == ["aws", "bedrock", "gemini", "openai"]
    assert with_cos.down() == []
    assert not any(processes.listening(port) for port in vars(with_cos.options.ports).values())
