"""An edit that an attempt kept is found by whoever comes after it."""

import io

import boto3
import pytest
from PIL import Image

from imagejobs.errors import EditNotFoundError
from imagejobs.job_store import JobStore
from standins.openai import OpenAIStandIn
from standins.openai_answers import REFUSALS
from tests.integration.process_image.conftest import EDITED, Accept, Configure, invoke, keys_in
from tests.support.batches import put_manifest
from tests.support.jobs import JOB_ID
from tests.support.pictures import picture


@pytest.mark.parametrize("operation", ["base64", "url", "batch"])
def test_a_second_attempt_finds_the_output_of_the_first(
    accept: Accept, store: JobStore, openai: OpenAIStandIn, operation: str
) -> None:
    boto3.client("s3").put_object(Bucket="input", Key="a.gif", Body=animation())
    accept(operation, animation())
    put_manifest(store, JOB_ID, ["a.gif"])
    image = {"at": 0} if operation == "batch" else {}

    first = invoke(operation, **image)
    second = invoke(operation, **image, retries=1)

    assert len(openai.calls) == 1
    assert second == first | {"attempts": 2}
    assert first["note"] == "only the first of 2 frames was edited"


@pytest.mark.parametrize("operation", ["base64", "batch"])
def test_who_collects_finds_a_kept_edit_or_none_and_asks_nobody(
    accept: Accept, store: JobStore, openai: OpenAIStandIn, operation: str
) -> None:
    boto3.client("s3").put_object(Bucket="input", Key="a.png", Body=picture())
    accept(operation, picture())
    put_manifest(store, JOB_ID, ["a.png"])
    image = {"at": 0} if operation == "batch" else {}

    with pytest.raises(EditNotFoundError):
        invoke(operation, **image, collect_only=True)
    bucket, key = (
        ("output", f"results/batch/{JOB_ID}/a.png_modified.png") if image else ("jobs", f"jobs/{JOB_ID}/result")
    )
    metadata = {"engine": "openai", "bytes-in": "100", "ms": "5"}
    boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=EDITED, ContentType="image/png", Metadata=metadata)
    found = invoke(operation, **image, collect_only=True)

    assert (found["status"], found["bytes_out"], found["ms"]) == ("edited", len(EDITED), 5)
    assert openai.calls == []


def animation() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (20, 20), "red").save(
        buffer, "GIF", save_all=True, append_images=[Image.new("RGB", (20, 20), "blue")]
    )
    return buffer.getvalue()


@pytest.mark.parametrize("output_format", ["png", "jpeg"])
def test_a_second_attempt_finds_the_fallback_of_the_first(
    accept: Accept, configure: Configure, openai: OpenAIStandIn, output_format: str
) -> None:
    configure(OPENAI_IMAGE_OUTPUT_FORMAT=output_format)
    openai.will_answer(REFUSALS["billing_hard_limit"])
    accept("url", picture(), filename="a.jpg")

    first = invoke("url")
    second = invoke("url", retries=2)

    assert len(openai.calls) == 1
    assert second == first | {"attempts": 3}
    assert (first["engine"], first["content_type"]) == ("local_fallback", "image/png")
    assert keys_in("output") == {f"results/{JOB_ID}/a_modified.png"}
