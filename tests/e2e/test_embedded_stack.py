"""The embedded stack itself: what stack.json promises, and that COS is really taken."""

import json
from io import BytesIO
from pathlib import Path

import httpx2
import pytest
from PIL import Image

from local import cos, processes
from local.receiver import Receiver
from local.stack import EmbeddedStack, Options, Ports, StackInfo


def test_stack_json_says_where_everything_is(embedded: EmbeddedStack, stack: StackInfo, api: httpx2.Client) -> None:
    written = json.loads((embedded.options.state_dir / "stack.json").read_text())

    assert StackInfo(**written) == stack
    assert api.get("/health").json()["ok"] is True
    for bucket in (stack.input_bucket, stack.output_bucket, stack.jobs_bucket):
        stack.client("s3").head_bucket(Bucket=bucket)
    queue = stack.client("sqs").get_queue_attributes(QueueUrl=stack.dead_letter_queue_url, AttributeNames=["QueueArn"])
    assert queue["Attributes"]["QueueArn"]
    machine = stack.client("stepfunctions").describe_state_machine(stateMachineArn=stack.state_machine_arn)
    assert machine["status"] == "ACTIVE"


def test_the_secret_is_filled_and_keeps_the_key_that_the_stack_made(stack: StackInfo) -> None:
    value = stack.client("secretsmanager").get_secret_value(SecretId=stack.secret_arn)["SecretString"]

    secret = json.loads(value)
    assert secret["OPENAI_API_KEY"] == "local-stand-in"
    assert len(secret["CALLBACK_SIGNING_KEY"]) == 44


@pytest.fixture(scope="module")
def with_cos(tmp_path_factory: pytest.TempPathFactory) -> EmbeddedStack:
    folder: Path = tmp_path_factory.mktemp("with-cos")
    return EmbeddedStack(
        Options(ports=Ports.free(), state_dir=folder, openai_latency=0, with_cos=True, with_receiver=False)
    )


def test_a_batch_runs_on_cos_and_comes_and_goes_as_often_as_asked(with_cos: EmbeddedStack, receiver: Receiver) -> None:
    out = BytesIO()
    Image.radial_gradient("L").save(out, "PNG")
    try:
        info = with_cos.up()
        images = info.images_client()
        for name in ("a.png", "sub/a.png"):
            images.put_object(Bucket=info.input_bucket, Key=name, Body=out.getvalue(), ContentType="image/png")

        answer = httpx2.post(
            f"{info.api_url}/batch-process-images",
            json={"prompt": "make it blue"},
            headers={"callbackUrl": receiver.url()},
            timeout=30,
        )
        payload = receiver.wait(timeout=60)[0].json()

        assert answer.status_code == 202
        assert (payload["status"], payload["processed"], payload["output_bucket"]) == (
            "completed",
            2,
            cos.OUTPUT_BUCKET,
        )
        listed = images.list_objects_v2(Bucket=cos.OUTPUT_BUCKET, Prefix=payload["output_prefix"])["Contents"]
        assert len([entry for entry in listed if entry["Key"].endswith(".png")]) == 2
        assert "wxo-image-jobs" not in {bucket["Name"] for bucket in images.list_buckets()["Buckets"]}
    finally:
        stopped = with_cos.down()

    assert sorted(stopped) == ["cos-stand-in", "emulator", "openai-stand-in"]
    assert with_cos.down() == []
    assert not any(processes.listening(port) for port in vars(with_cos.options.ports).values())
