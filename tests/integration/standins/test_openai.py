"""The OpenAI stand-in, through the real SDK."""

import base64
import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any

import httpx2
import pytest
from openai import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    BadRequestError,
    InternalServerError,
    OpenAI,
    RateLimitError,
)
from PIL import Image, ImageChops

from standins.openai import OpenAIStandIn
from standins.openai_answers import MISBEHAVIOURS, REFUSALS, Answer, edited, refused
from tests.support.pictures import picture
from tests.support.waiting import PATIENCE, wait_until


def edit(openai: OpenAIStandIn, prompt: str = "make it green", image: bytes | None = None, **options: Any) -> Any:
    client = OpenAI(api_key="any", base_url=openai.base_url, max_retries=0, timeout=options.pop("timeout", PATIENCE))
    named = ("photo.png", image or picture(), "image/png")
    return client.images.edit(model="gpt-image-2.5-flare", image=named, prompt=prompt, **options)


@pytest.mark.parametrize(("output_format", "expected"), [("png", "PNG"), ("jpeg", "JPEG"), ("webp", "WEBP")])
def test_an_edit_changes_the_picture_and_has_the_format_asked_for(
    openai: OpenAIStandIn, output_format: Any, expected: str
) -> None:
    answer = edit(openai, output_format=output_format)

    after = Image.open(BytesIO(base64.b64decode(answer.data[0].b64_json)))
    before = Image.open(BytesIO(picture()))
    assert (after.format, after.size) == (expected, before.size)
    assert ImageChops.difference(after.convert("RGB"), before).getbbox() is not None
    red, green, blue = after.convert("RGB").resize((1, 1)).getpixel((0, 0))  # type: ignore[misc]
    assert green > red
    assert green > blue
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens > 0


@pytest.mark.parametrize("image_format", ["JPEG", "WEBP"])
def test_it_takes_openais_other_formats(openai: OpenAIStandIn, image_format: str) -> None:
    assert edit(openai, image=picture(file_format=image_format)).data


@pytest.mark.parametrize("content", [b"not an image", picture(file_format="GIF")])
def test_it_refuses_what_openai_refuses(openai: OpenAIStandIn, content: bytes) -> None:
    with pytest.raises(BadRequestError, match="Invalid image file"):
        edit(openai, image=content)


@pytest.mark.parametrize("fault", sorted(REFUSALS))
def test_a_refusal_has_openais_form(openai: OpenAIStandIn, fault: str) -> None:
    openai.fail(fault)

    with pytest.raises(APIStatusError) as refusal:
        edit(openai)

    expected = REFUSALS[fault]
    error, form = refusal.value, expected.body["error"]
    assert (error.status_code, error.code, error.type) == (expected.status, form["code"], form["type"])
    assert form["message"] in error.message
    assert openai.calls[0].status == expected.status


def test_the_billing_limit_has_each_of_its_shapes() -> None:
    shapes = {
        (one.status, *(one.body["error"][name] for name in ("type", "code", "message"))) for one in REFUSALS.values()
    }

    assert {status for status, _, code, _ in shapes if code == "billing_hard_limit_reached"} == {400}
    assert any(code is None and message == "Billing hard limit has been reached" for _, _, code, message in shapes)
    for code in ("organization_spend_limit_exceeded", "project_spend_limit_exceeded"):
        assert {(status, kind) for status, kind, found, _ in shapes if found == code} == {(429, "insufficient_quota")}


def test_a_rate_limit_names_the_seconds_to_wait(openai: OpenAIStandIn) -> None:
    openai.fail("rate_limit", retry_after=7, times=1)

    with pytest.raises(RateLimitError) as limited:
        edit(openai)

    assert limited.value.response.headers["Retry-After"] == "7"
    assert edit(openai).data


@pytest.mark.parametrize(("fault", "error"), [("drop", APIConnectionError), ("hang", APITimeoutError)])
def test_it_drops_and_hangs(openai: OpenAIStandIn, fault: str, error: type[Exception]) -> None:
    openai.fail(fault)

    with pytest.raises(error):
        edit(openai, timeout=0.5)


def test_answers_without_a_good_image(openai: OpenAIStandIn) -> None:
    def answer(fault: str) -> Any:
        return edit(openai, f"make it green [fault:{fault}]").data

    assert answer("empty") == []
    assert answer("null_data") is None
    with pytest.raises(ValueError, match=r"base64|padded"):
        base64.b64decode(answer("not_base64")[0].b64_json, validate=True)
    with pytest.raises(OSError, match="cannot identify"):
        Image.open(BytesIO(base64.b64decode(answer("garbage_image")[0].b64_json)))
    assert Image.open(BytesIO(base64.b64decode(answer("wrong_format")[0].b64_json))).format == "JPEG"
    assert {"empty", "null_data", "not_base64", "garbage_image", "wrong_format", "drop", "hang"} == set(MISBEHAVIOURS)


def test_a_picture_may_ask_for_its_fault(openai: OpenAIStandIn) -> None:
    with pytest.raises(BadRequestError, match="Billing hard limit"):
        edit(openai, image=picture(text={"fault": "billing_hard_limit"}))
    assert edit(openai, image=picture(text={"fault": "none of these"})).data


def test_a_rule_holds_for_its_prompts_and_files_and_as_often_as_it_says(openai: OpenAIStandIn) -> None:
    openai.fail("server_error", prompt="blue", filename="photo", times=2)

    for prompt, fails in [("blue", True), ("green", False), ("deep blue", True), ("blue", False)]:
        if fails:
            with pytest.raises(InternalServerError):
                edit(openai, prompt)
        else:
            edit(openai, prompt)
    assert [call.fault for call in openai.calls] == ["server_error", None, "server_error", None]


def test_it_is_steered_over_http(openai: OpenAIStandIn) -> None:
    with httpx2.Client(base_url=f"{openai.base_url.removesuffix('/v1')}/_control", timeout=PATIENCE) as control:
        control.post("/faults", json={"fault": "moderation", "times": 1}).raise_for_status()
        control.put("/latency", content="0.3").raise_for_status()

        with pytest.raises(BadRequestError):
            edit(openai, "first")
        begun = time.monotonic()
        edit(openai, "second")

        assert time.monotonic() - begun >= 0.3
        assert [(call["prompt"], call["status"]) for call in control.get("/calls").json()] == [
            ("first", 400),
            ("second", 200),
        ]
        control.post("/reset").raise_for_status()
        assert control.get("/calls").json() == []
        for refused in (
            control.post("/faults", json={"fault": "nothing of the kind"}),
            control.post("/faults", content=b"no JSON"),
            control.put("/latency", content="soon"),
        ):
            assert refused.status_code == 422
        assert "moderation" in control.post("/faults", json={"fault": "nothing of the kind"}).json()["detail"]


def test_given_answers_come_in_turn_and_the_last_one_holds(openai: OpenAIStandIn) -> None:
    openai.will_answer(refused(500), edited(picture()), Answer(connection="drop"))

    with pytest.raises(InternalServerError):
        edit(openai)
    assert base64.b64decode(edit(openai).data[0].b64_json) == picture()
    for _ in range(2):
        with pytest.raises(APIConnectionError):
            edit(openai)
    assert all(picture() in body for body in openai.requests)
    openai.reset()
    assert edit(openai).data


def test_an_answer_drips_without_end(openai: OpenAIStandIn, http: httpx2.Client) -> None:
    openai.will_answer(Answer(connection="drip"))
    asked = httpx2.Request(
        "POST",
        f"{openai.base_url}/images/edits",
        headers={"Authorization": "Bearer any"},
        data={"prompt": "x"},
        files={"image": picture()},
    )

    with contextlib.closing(http.send(asked, stream=True)) as answer:
        drops = answer.iter_raw()
        assert [next(drops) for _ in range(3)] == [b" "] * 3
        assert answer.headers["Content-Length"] == "1000000"


def test_twenty_edits_are_made_side_by_side(openai: OpenAIStandIn) -> None:
    openai.latency = 3

    with ThreadPoolExecutor(20) as pool:
        assert all(answer.data for answer in pool.map(lambda n: edit(openai, f"green {n % 4}"), range(20)))

    wait_until(lambda: all(call.ended_at for call in openai.calls), what="the end of every call")
    starts, ends = ([getattr(call, name) for call in openai.calls] for name in ("started_at", "ended_at"))
    assert sum(start < min(ends) for start in starts) > 5


def test_a_rate_limit_lets_one_image_through_at_a_time(openai: OpenAIStandIn) -> None:
    httpx2.put(f"{openai.base_url.removesuffix('/v1')}/_control/images-per-minute", content="20").raise_for_status()

    assert edit(openai).data
    with pytest.raises(RateLimitError) as limited:
        edit(openai)
    assert limited.value.response.headers["Retry-After"] in ("1", "2", "3")
    openai.reset()
    assert edit(openai).data


def test_every_model_is_known(openai: OpenAIStandIn) -> None:
    client = OpenAI(api_key="any", base_url=openai.base_url, max_retries=0)

    assert client.models.retrieve("gpt-image-2.5-flare").id == "gpt-image-2.5-flare"
