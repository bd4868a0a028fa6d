"""One image, from its input to its kept edit."""

import io
import json

import boto3
import pytest
from PIL import Image

from imagejobs.errors import (
    ConfigurationError,
    JobDecidedError,
    OpenAIRejectedError,
    SourceRefusedError,
    StorageRejectedError,
    StorageUnavailableError,
    UnsupportedImageError,
)
from imagejobs.job_store import JobStore
from standins.openai import OpenAIStandIn
from standins.openai_answers import USAGE, edited, refused
from standins.receiver import Receiver, Step
from tests.integration.process_image.conftest import EDITED, Accept, Configure, invoke, keys_in, stored
from tests.support.batches import put_manifest
from tests.support.jobs import JOB_ID, PROMPT
from tests.support.pictures import picture

BILLING_LIMIT = refused(400, "billing_hard_limit_reached", message="Billing hard limit has been reached")


def test_a_base64_job_keeps_its_result_in_the_jobs_bucket(accept: Accept, openai: OpenAIStandIn) -> None:
    accept("base64", picture())

    result = invoke("base64")

    key = f"jobs/{JOB_ID}/result"
    assert result | {"ms": 0} == {
        "status": "edited",
        "content_type": "image/png",
        "engine": "openai",
        "model": "gpt-image-2.6-flare",
        "attempts": 1,
        "bytes_in": len(picture()),
        "bytes_out": len(EDITED),
        "ms": 0,
        "input_tokens": USAGE["input_tokens"],
        "output_tokens": USAGE["output_tokens"],
        "cost_usd": pytest.approx(0.0342, abs=0.0001),
    }
    assert stored("jobs", key) == EDITED
    assert keys_in("output") == set()


def test_openai_is_asked_as_configured(accept: Accept, configure: Configure, openai: OpenAIStandIn) -> None:
    configure(OPENAI_IMAGE_MODEL="gpt-image-2", OPENAI_IMAGE_QUALITY="high", OPENAI_IMAGE_SIZE="1536x1024")
    configure(OPENAI_IMAGE_OUTPUT_FORMAT="webp", OPENAI_IMAGE_BACKGROUND="transparent")
    openai.will_answer(edited(picture(file_format="WEBP")))
    accept("base64", picture())

    assert invoke("base64")["content_type"] == "image/webp"

    (request,) = openai.requests
    assert picture() in request
    for value in (PROMPT, "gpt-image-2", "high", "1536x1024", "webp", "transparent"):
        assert f"\r\n\r\n{value}\r\n".encode() in request


def test_the_limit_of_pixels_is_for_inputs_and_never_for_what_openai_was_paid_for(
    accept: Accept, configure: Configure, openai: OpenAIStandIn
) -> None:
    configure(MAX_IMAGE_PIXELS="1000")
    accept("base64", picture(40, 25))
    edit = picture(3840, 2160)
    openai.will_answer(edited(edit))

    assert invoke("base64")["bytes_out"] == len(edit)
    assert len(openai.calls) == 1


def test_a_url_job_keeps_its_result_in_the_output_bucket(accept: Accept) -> None:
    accept("url", picture(), filename="holiday photo.jpeg")

    invoke("url")

    assert stored("output", f"results/{JOB_ID}/holiday_photo_modified.png") == EDITED


def test_a_batch_reads_the_input_bucket(accept: Accept, store: JobStore, configure: Configure) -> None:
    configure(COS_INPUT_PREFIX="photos")
    boto3.client("s3").put_object(Bucket="input", Key="photos/sub/a.jpg", Body=picture(file_format="BMP"))
    accept("batch")

    invoke("batch", at=put_manifest(store, JOB_ID, ["other.png", "photos/sub/a.jpg"])["photos/sub/a.jpg"])

    assert stored("output", f"results/batch/{JOB_ID}/sub/a.jpg_modified.png") == EDITED


def test_a_name_of_the_longest_in_the_costliest_letters_is_read_whole(accept: Accept, store: JobStore) -> None:
    costly = f"{chr(1) * 900}.png"  # six characters of JSON for each of its bytes
    boto3.client("s3").put_object(Bucket="input", Key=costly, Body=picture())
    accept("batch")

    invoke("batch", at=put_manifest(store, JOB_ID, ["é" * 512, costly])[costly])

    assert keys_in("output") == {f"results/batch/{JOB_ID}/{costly}_modified.png"}


def test_an_error_does_not_name_the_file(accept: Accept, store: JobStore) -> None:
    accept("batch")

    with pytest.raises(StorageRejectedError) as raised:
        invoke("batch", at=put_manifest(store, JOB_ID, ["private.png"])["private.png"])
    assert str(raised.value).startswith("NoSuchKey")
    assert "private" not in str(raised.value)


def test_an_image_url_is_fetched_under_the_policy_of_callbacks(
    accept: Accept, configure: Configure, receiver: Receiver
) -> None:
    receiver.script("/a.png", Step(body=picture(70, 70)))
    accept("url", image_url=receiver.url("/a.png"))
    with pytest.raises(SourceRefusedError):
        invoke("url")
    configure(CALLBACK_ALLOW_HTTP="true", CALLBACK_ALLOW_PRIVATE="true")

    assert invoke("url")["bytes_in"] == len(picture(70, 70))


@pytest.mark.parametrize("operation", ["url", "batch"])
def test_an_edit_that_could_not_be_kept_costs_nothing(
    accept: Accept, store: JobStore, configure: Configure, openai: OpenAIStandIn, operation: str
) -> None:
    configure(COS_OUTPUT_BUCKET="nowhere")
    boto3.client("s3").put_object(Bucket="input", Key="a.png", Body=picture())
    accept(operation, picture())
    put_manifest(store, JOB_ID, ["a.png"])
    image = {"at": 0} if operation == "batch" else {}

    with pytest.raises(StorageRejectedError, match="NoSuchBucket: the bucket 'nowhere' does not exist"):
        invoke(operation, **image)
    assert len(openai.calls) == 0


def test_a_key_too_long_for_its_result_costs_nothing(accept: Accept, store: JobStore, openai: OpenAIStandIn) -> None:
    key = f"{'x' * 1000}.png"
    boto3.client("s3").put_object(Bucket="input", Key=key, Body=picture())
    accept("batch")

    with pytest.raises(StorageRejectedError, match="shorten the image's key"):
        invoke("batch", at=put_manifest(store, JOB_ID, [key])[key])
    assert len(openai.calls) == 0


def test_a_decided_job_costs_nothing_more(accept: Accept, store: JobStore, openai: OpenAIStandIn) -> None:
    accept("base64", picture())
    store.decide(JOB_ID, b"{}")

    with pytest.raises(JobDecidedError):
        invoke("base64")
    assert len(openai.calls) == 0


def test_an_unknown_job_is_refused(configure: Configure) -> None:
    with pytest.raises(StorageRejectedError, match="no record of job"):
        invoke("base64")


def test_the_fallback_keeps_size_and_type(accept: Accept, openai: OpenAIStandIn) -> None:
    openai.will_answer(BILLING_LIMIT)
    accept("base64", picture(300, 200, "black"))

    invoke("base64")

    with Image.open(io.BytesIO(stored("jobs", f"jobs/{JOB_ID}/result"))) as image:
        assert (image.format, image.size, image.getpixel((290, 5))) == ("PNG", (300, 200), (255, 255, 255))


@pytest.mark.parametrize("operation", ["base64", "url"])
def test_the_fallback_can_be_switched_off_for_single_images(
    accept: Accept, configure: Configure, openai: OpenAIStandIn, operation: str
) -> None:
    configure(ENABLE_FALLBACK_SINGLE="false")
    openai.will_answer(BILLING_LIMIT)
    accept(operation, picture())

    with pytest.raises(OpenAIRejectedError, match=r"BadRequestError: .*Billing hard limit has been reached"):
        invoke(operation)


def test_the_fallback_stays_on_for_batches(
    accept: Accept, store: JobStore, configure: Configure, openai: OpenAIStandIn
) -> None:
    configure(ENABLE_FALLBACK_SINGLE="false")
    openai.will_answer(BILLING_LIMIT)
    boto3.client("s3").put_object(Bucket="input", Key="a.png", Body=picture())
    accept("batch")

    assert invoke("batch", at=put_manifest(store, JOB_ID, ["a.png"])["a.png"])["engine"] == "local_fallback"


def test_a_damaged_image_costs_nothing(accept: Accept, openai: OpenAIStandIn) -> None:
    accept("base64", b"%PDF-1.7")

    with pytest.raises(UnsupportedImageError, match="a PDF document"):
        invoke("base64")
    assert len(openai.calls) == 0


def test_an_image_of_too_many_bytes_is_refused_unread(accept: Accept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("functions.process_image.resources.MAX_IMAGE_BYTES", 1000)
    accept("base64", bytes(1001))

    with pytest.raises(StorageRejectedError, match="1,001 bytes; the limit is 1,000"):
        invoke("base64")


def test_what_is_not_configured_is_named(configure: Configure) -> None:
    configure(COS_INPUT_BUCKET="", COS_OUTPUT_BUCKET="", COS_ENDPOINT="https://cos.example", JOBS_BUCKET="")
    names = "COS_ACCESS_KEY_ID, COS_INPUT_BUCKET, COS_OUTPUT_BUCKET, COS_SECRET_ACCESS_KEY, JOBS_BUCKET"

    with pytest.raises(ConfigurationError, match=names):
        invoke("batch", at=0)


def test_an_output_bucket_that_is_missing_is_reported(accept: Accept, configure: Configure) -> None:
    configure(COS_OUTPUT_BUCKET="nowhere")
    accept("url", picture())

    with pytest.raises(StorageRejectedError, match="nowhere"):
        invoke("url")


def test_a_storage_that_cannot_be_reached_is_tried_again(
    accept: Accept, configure: Configure, openai: OpenAIStandIn
) -> None:
    accept("url", picture())
    keys = {"OPENAI_API_KEY": "k", "COS_ACCESS_KEY_ID": "id", "COS_SECRET_ACCESS_KEY": "key"}
    boto3.client("secretsmanager").put_secret_value(SecretId="secrets", SecretString=json.dumps(keys))
    # A port that nothing listens on; COS is the second storage, the jobs bucket stays where it was.
    configure(COS_ENDPOINT="http://127.0.0.1:9")

    with pytest.raises(StorageUnavailableError):
        invoke("url")
    assert len(openai.calls) == 0
