"""What an engine is asked for: options, mask and references."""

import io
from typing import Any

import boto3
import pytest
from PIL import Image

from functions.process_image import app
from functions.process_image.engines.openai import OPENAI_BASE_URL
from functions.process_image.settings import ProcessImageSettings
from imagejobs.errors import (
    OpenAIRejectedError,
    SourceRefusedError,
    UnsupportedImageError,
)
from imagejobs.job_store import JobStore
from standins.openai import STRICT_FIELDS, OpenAIStandIn
from standins.openai_answers import edited
from tests.integration.process_image.conftest import Accept, Configure, invoke, keys_in
from tests.support.batches import put_manifest
from tests.support.jobs import JOB_ID
from tests.support.pictures import picture
from tests.support.sockets import Serve, answering

ALL = {
    "model": "gpt-image-2",
    "quality": "high",
    "size": "1536x1024",
    "output_format": "webp",
    "output_compression": 80,
    "background": "transparent",
}


def mask(size: tuple[int, int] = (64, 48)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGBA", size).save(buffer, "PNG")
    return buffer.getvalue()


def test_a_request_without_options_asks_as_ever(accept: Accept, openai: OpenAIStandIn) -> None:
    accept("base64", picture())

    invoke("base64")

    (call,) = openai.calls
    assert (call.model, call.references, call.mask) == ("gpt-image-2.6-flare", 0, False)
    assert call.fields.pop("safety_identifier")
    assert call.fields == {"quality": "medium", "size": "auto", "background": "auto", "output_format": "png"}
    assert b'name="image"; filename="image.png"' in openai.requests[0]


def test_all_options_reach_openai(accept: Accept, openai: OpenAIStandIn) -> None:
    openai.will_answer(edited(picture(file_format="WEBP")))
    accept("url", picture(), options=ALL)

    assert invoke("url")["content_type"] == "image/webp"

    (call,) = openai.calls
    assert call.fields.pop("safety_identifier")
    assert {"model": call.model} | call.fields == {name: str(value) for name, value in ALL.items()}
    assert keys_in("output") == {f"results/{JOB_ID}/image_modified.webp"}


def test_the_owners_defaults_give_way_where_they_do_not_go_with_what_a_caller_chose(
    accept: Accept, configure: Configure, openai: OpenAIStandIn
) -> None:
    configure(OPENAI_IMAGE_OUTPUT_FORMAT="jpeg", OPENAI_IMAGE_QUALITY="max")
    accept("base64", picture(), options={"model": "gpt-image-2", "background": "transparent"})

    invoke("base64")

    (call,) = openai.calls
    assert call.fields.pop("safety_identifier")
    # gpt-image-2 has no quality max, and a JPEG no transparency.
    assert call.fields == {"background": "transparent", "size": "auto"}


@pytest.mark.parametrize("output_format", ["jpeg", "webp", None])
def test_a_second_attempt_finds_an_edit_of_the_format_that_was_asked_for(
    accept: Accept, openai: OpenAIStandIn, output_format: str | None
) -> None:
    openai.will_answer(edited(picture(file_format=output_format or "PNG")))
    accept("url", picture(), options=output_format and {"output_format": output_format})

    first = invoke("url")

    assert invoke("url", retries=1) == first | {"attempts": 2}
    assert len(openai.calls) == 1


def test_mask_and_references_are_shown_to_the_model(accept: Accept, store: JobStore, openai: OpenAIStandIn) -> None:
    accept("base64", picture(), mask=True, reference_keys=["uploads/a", "uploads/b"])
    store.put_input(JOB_ID, mask(), "image/png", "mask")
    store.put_input(JOB_ID, picture(10, 10, "red"), "image/png", "reference-1")
    store.put_input(JOB_ID, picture(10, 10, file_format="GIF"), "image/gif", "reference-2")

    invoke("base64")

    (call,) = openai.calls
    assert (call.references, call.mask, call.bytes_in) == (2, True, len(picture()))
    (body,) = openai.requests
    assert body.index(picture()) < body.index(picture(10, 10, "red"))
    assert body.count(b'name="image[]"; filename="image.png"') == 3  # the GIF goes as PNG
    assert mask() in body


@pytest.mark.parametrize(
    ("beside", "body", "message"),
    [
        ({"mask": True}, mask((48, 64)), "mask has 48 x 64 pixels, and the upright picture has 64 x 48"),
        ({"mask": True}, mask()[:60], "^mask: damaged image/png"),
        ({"reference_keys": ["uploads/a"]}, b"%PDF-1.7", "^reference 1: the file is a PDF document"),
    ],
    ids=["a mask of another size", "a damaged mask", "a reference that is not an image"],
)
def test_what_is_wrong_beside_the_picture_costs_nothing(
    accept: Accept, store: JobStore, openai: OpenAIStandIn, beside: dict[str, Any], body: bytes, message: str
) -> None:
    accept("base64", picture(), **beside)
    store.put_input(JOB_ID, body, "image/png", "mask" if "mask" in beside else "reference-1")

    with pytest.raises(UnsupportedImageError, match=message):
        invoke("base64")
    assert openai.calls == []


def test_a_single_images_references_are_fetched_under_the_policy_of_callbacks(
    accept: Accept, configure: Configure, openai: OpenAIStandIn, serve: Serve
) -> None:
    accept("base64", picture(), reference_urls=[serve(answering("200 OK", picture(10, 10))).url])

    with pytest.raises(SourceRefusedError, match="reference_urls"):
        invoke("base64")
    configure(CALLBACK_ALLOW_HTTP="true", CALLBACK_ALLOW_PRIVATE="true")
    invoke("base64")

    assert openai.calls[0].references == 1


def test_a_batchs_references_are_read_once_for_all_its_images(
    accept: Accept, store: JobStore, openai: OpenAIStandIn
) -> None:
    keys = ["a.png", "b.png"]
    for key in keys:
        boto3.client("s3").put_object(Bucket="input", Key=key, Body=picture())
    accept("batch", reference_urls=["https://pictures.example/a.png"])
    store.put_input(JOB_ID, picture(10, 10), "image/png", "reference-1")
    read: list[str] = []
    app.resources().clients.s3.meta.events.register(
        "provide-client-params.s3.GetObject", lambda params, **_: read.append(params["Key"])
    )
    for at in put_manifest(store, JOB_ID, keys).values():
        invoke("batch", at=at)

    assert [call.references for call in openai.calls] == [1, 1]
    assert read.count(f"jobs/{JOB_ID}/reference-1") == 1


# ---------------------------------------------------------------- another server that speaks OpenAI's API


def test_a_strict_server_is_told_only_what_somebody_chose(
    accept: Accept, configure: Configure, openai: OpenAIStandIn
) -> None:
    openai.known = STRICT_FIELDS
    openai.will_answer(edited(picture(file_format="JPEG")))
    configure(OPENAI_IMAGE_MODEL="qwen-image-edit", OPENAI_IMAGE_SIZE="1024x1024")
    accept("url", picture(), options={"quality": "high"})

    first = invoke("url")

    (call,) = openai.calls
    assert (call.model, call.fields) == ("qwen-image-edit", {"quality": "high", "size": "1024x1024"})
    # Nobody chose a format: its own is kept, and found again.
    assert first["content_type"] == "image/jpeg"
    assert invoke("url", retries=1)["attempts"] == 2
    assert len(openai.calls) == 1


def test_a_strict_servers_refusal_reaches_the_caller(
    accept: Accept, configure: Configure, openai: OpenAIStandIn
) -> None:
    openai.known = STRICT_FIELDS
    openai.reset()
    configure(OPENAI_IMAGE_MODEL="qwen-image-edit")
    accept("base64", picture(), options={"output_format": "jpeg", "output_compression": 50})

    with pytest.raises(OpenAIRejectedError, match=r"BadRequestError: .*Unknown parameter: output_compression"):
        invoke("base64")


@pytest.mark.parametrize("url", ["", OPENAI_BASE_URL, "https://eu.api.openai.com/v1"])
def test_of_openai_itself_every_model_is_openais(url: str) -> None:
    assert ProcessImageSettings(openai_base_url=url).is_openais("gpt-image-3")
    assert not ProcessImageSettings(openai_base_url="https://api.openai.com.evil.example/v1").is_openais("gpt-image-3")
