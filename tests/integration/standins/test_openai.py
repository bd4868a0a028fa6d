"""The OpenAI stand-in, through the real SDK. What it answers to its faults, `tests/e2e/test_faults.py` shows."""

import base64
import time
from io import BytesIO
from typing import Any

import httpx2
import pytest
from openai import APIStatusError, APITimeoutError, BadRequestError, InternalServerError, OpenAI, RateLimitError
from PIL import Image, ImageChops

from imagejobs.edit_options import EditOptions
from imagejobs.prices import PriceList
from standins.openai import OpenAIStandIn
from standins.openai_answers import REFUSALS, edited, refused
from tests.support.pictures import picture
from tests.support.waiting import PATIENCE


def edit(openai: OpenAIStandIn, prompt: str = "make it green", image: bytes | None = None, **options: Any) -> Any:
    client = OpenAI(api_key="any", base_url=openai.base_url, max_retries=0, timeout=options.pop("timeout", PATIENCE))
    named = ("photo.png", image or picture(), "image/png")
    return client.images.edit(model="gpt-image-2.5-flare", image=named, prompt=prompt, **options)


@pytest.mark.parametrize(("output_format", "expected"), [("png", "PNG"), ("jpeg", "JPEG"), ("webp", "WEBP")])
def test_an_edit_changes_the_picture_and_has_the_format_asked_for(
    openai: OpenAIStandIn, output_format: Any, expected: str
) -> None:
    answer = edit(openai, image=picture(file_format=expected), output_format=output_format)

    after = Image.open(BytesIO(base64.b64decode(answer.data[0].b64_json)))
    before = Image.open(BytesIO(picture()))
    assert (after.format, after.size) == (expected, before.size)
    assert ImageChops.difference(after.convert("RGB"), before).getbbox() is not None
    red, green, blue = after.convert("RGB").resize((1, 1)).getpixel((0, 0))  # type: ignore[misc]
    assert green > red
    assert green > blue
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens > 0


@pytest.mark.parametrize(("quality", "size", "tokens"), [("low", "1024x1024", 196), ("high", "1024x1536", 1372)])
def test_an_edit_takes_what_the_price_list_says_and_no_more_than_the_estimate(
    openai: OpenAIStandIn, quality: Any, size: Any, tokens: int
) -> None:
    usage = edit(openai, quality=quality, size=size).usage

    assert usage.output_tokens == tokens
    price = PriceList().find("gpt-image-2.5-flare")
    assert price
    cost = price.cost(usage.input_tokens, usage.output_tokens, usage.input_tokens_details.image_tokens)
    estimate = price.estimate("make it green", EditOptions(quality=quality, size=size), 1)
    assert cost is not None
    assert estimate is not None
    assert 0 < cost <= estimate


@pytest.mark.parametrize("content", [b"not an image", picture(file_format="GIF")])
def test_it_refuses_what_openai_refuses(openai: OpenAIStandIn, content: bytes) -> None:
    with pytest.raises(BadRequestError, match="Invalid image file"):
        edit(openai, image=content)


@pytest.mark.parametrize("fault", sorted(REFUSALS))
def test_a_refusal_has_openais_form(openai: OpenAIStandIn, fault: str) -> None:
    openai.fail(fault, retry_after=7)

    with pytest.raises(APIStatusError) as refusal:
        edit(openai)

    expected = REFUSALS[fault]
    error, form = refusal.value, expected.body["error"]
    assert (error.status_code, error.code, error.type) == (expected.status, form["code"], form["type"])
    assert form["message"] in error.message
    assert error.response.headers["Retry-After"] == "7"
    assert openai.calls[0].status == expected.status


def test_a_picture_or_a_prompt_may_ask_for_its_fault(openai: OpenAIStandIn) -> None:
    with pytest.raises(BadRequestError, match="Billing hard limit"):
        edit(openai, image=picture(text={"fault": "billing_hard_limit"}))
    with pytest.raises(RateLimitError):
        edit(openai, "make it green [fault:rate_limit]")
    assert edit(openai, "[fault:none of these]").data
    assert edit(openai, "[fault:null_data]").data is None
    wrong = edit(openai, "[fault:wrong_format]").data[0].b64_json
    assert Image.open(BytesIO(base64.b64decode(wrong))).format == "JPEG"


def test_a_rule_holds_for_its_prompts_and_files_and_as_often_as_it_says(openai: OpenAIStandIn) -> None:
    openai.fail("server_error", prompt="blue", filename="photo", times=2)

    for prompt, fails in [("blue", True), ("green", False), ("deep blue", True), ("blue", False)]:
        if fails:
            with pytest.raises(InternalServerError):
                edit(openai, prompt)
        else:
            edit(openai, prompt)
    assert [call.fault for call in openai.calls] == ["server_error", None, "server_error", None]
    with pytest.raises(ValueError, match=r"choose one of .*moderation"):
        openai.fail("no such fault")


def test_given_answers_come_in_turn_and_the_last_one_holds(openai: OpenAIStandIn) -> None:
    openai.will_answer(refused(500), edited(picture()))

    with pytest.raises(InternalServerError):
        edit(openai)
    for _ in range(2):
        assert base64.b64decode(edit(openai).data[0].b64_json) == picture()
    assert all(picture() in body for body in openai.requests)
    openai.reset()
    assert edit(openai).data[0].b64_json != base64.b64encode(picture()).decode()


def test_it_takes_its_time_and_lists_the_edits_asked_for(openai: OpenAIStandIn, http: httpx2.Client) -> None:
    openai.latency = 0.3
    begun = time.monotonic()
    edit(openai, "first")
    assert time.monotonic() - begun >= 0.3

    openai.fail("hang")
    with pytest.raises(APITimeoutError):
        edit(openai, "second", timeout=0.5)

    calls = http.get(openai.base_url.replace("/v1", "/_control/calls")).json()
    assert [(call["prompt"], call["status"]) for call in calls] == [("first", 200), ("second", 0)]


def test_a_rate_limit_lets_one_image_through_at_a_time(openai: OpenAIStandIn) -> None:
    openai.images_per_minute = 20

    assert edit(openai).data
    with pytest.raises(RateLimitError) as limited:
        edit(openai)
    assert limited.value.response.headers["Retry-After"] in ("1", "2", "3")

    openai.reset()
    openai.images_per_minute = 20
    assert edit(openai).data
