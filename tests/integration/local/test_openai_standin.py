"""The OpenAI stand-in, through the real SDK."""

import base64
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any

import httpx2
import openai
import pytest
from openai import OpenAI
from PIL import Image, ImageChops
from PIL.PngImagePlugin import PngInfo

from local.openai_faults import MISBEHAVIOURS, REFUSALS
from local.openai_standin import OpenAIStandIn


def picture(text: dict[str, str] | None = None, image_format: str = "PNG") -> bytes:
    info, out = PngInfo(), BytesIO()
    for key, value in (text or {}).items():
        info.add_text(key, value)
    image = Image.radial_gradient("L").convert("RGB").resize((320, 200))
    image.save(out, image_format, **({"pnginfo": info} if image_format == "PNG" else {}))
    return out.getvalue()


@pytest.fixture
def standin() -> Iterator[OpenAIStandIn]:
    with OpenAIStandIn(latency=0) as running:
        yield running


def edit(standin: OpenAIStandIn, prompt: str = "make it green", image: bytes | None = None, **options: Any) -> Any:
    client = OpenAI(api_key="any", base_url=standin.base_url, max_retries=0, timeout=options.pop("timeout", 10))
    named = ("photo.png", image or picture(), "image/png")
    return client.images.edit(model="gpt-image-2.5-flare", image=named, prompt=prompt, **options)


@pytest.mark.parametrize(("output_format", "expected"), [("png", "PNG"), ("jpeg", "JPEG"), ("webp", "WEBP")])
def test_an_edit_changes_the_picture_and_has_the_format_asked_for(
    standin: OpenAIStandIn, output_format: Any, expected: str
) -> None:
    answer = edit(standin, output_format=output_format)

    after = Image.open(BytesIO(base64.b64decode(answer.data[0].b64_json)))
    before = Image.open(BytesIO(picture()))
    assert (after.format, after.size) == (expected, before.size)
    assert ImageChops.difference(after.convert("RGB"), before).getbbox() is not None
    red, green, blue = after.convert("RGB").resize((1, 1)).getpixel((0, 0))  # type: ignore[misc]
    assert green > red
    assert green > blue
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens > 0


@pytest.mark.parametrize("image_format", ["JPEG", "WEBP"])
def test_it_takes_openais_other_formats(standin: OpenAIStandIn, image_format: str) -> None:
    assert edit(standin, image=picture(image_format=image_format)).data


@pytest.mark.parametrize("content", [b"no image", picture(image_format="GIF")])
def test_it_refuses_what_openai_refuses(standin: OpenAIStandIn, content: bytes) -> None:
    with pytest.raises(openai.BadRequestError, match="Invalid image file"):
        edit(standin, image=content)


@pytest.mark.parametrize("fault", sorted(REFUSALS))
def test_a_refusal_has_openais_form(standin: OpenAIStandIn, fault: str) -> None:
    standin.fail(fault)

    with pytest.raises(openai.APIStatusError) as refused:
        edit(standin)

    expected = REFUSALS[fault]
    error = refused.value
    assert (error.status_code, error.code, error.type) == (expected.status, expected.code, expected.type)
    assert expected.message in error.message
    assert standin.calls[0].status == expected.status


def test_the_billing_limit_has_each_of_its_shapes() -> None:
    shapes = {(one.status, one.type, one.code, one.message) for one in REFUSALS.values()}

    assert {status for status, _, code, _ in shapes if code == "billing_hard_limit_reached"} == {400}
    assert any(code is None and message == "Billing hard limit has been reached" for _, _, code, message in shapes)
    for code in ("organization_spend_limit_exceeded", "project_spend_limit_exceeded"):
        assert {(status, kind) for status, kind, found, _ in shapes if found == code} == {(429, "insufficient_quota")}


def test_a_rate_limit_names_the_seconds_to_wait(standin: OpenAIStandIn) -> None:
    standin.fail("rate_limit", retry_after=7, times=1)

    with pytest.raises(openai.RateLimitError) as limited:
        edit(standin)

    assert limited.value.response.headers["Retry-After"] == "7"
    assert edit(standin).data


@pytest.mark.parametrize(("fault", "error"), [("drop", openai.APIConnectionError), ("hang", openai.APITimeoutError)])
def test_it_drops_and_hangs(standin: OpenAIStandIn, fault: str, error: type[Exception]) -> None:
    standin.fail(fault)

    with pytest.raises(error):
        edit(standin, timeout=0.5)


def test_answers_without_a_good_image(standin: OpenAIStandIn) -> None:
    def answer(fault: str) -> Any:
        return edit(standin, f"make it green [fault:{fault}]").data

    assert answer("empty") == []
    assert answer("null_data") is None
    with pytest.raises(ValueError, match=r"base64|padded"):
        base64.b64decode(answer("not_base64")[0].b64_json, validate=True)
    with pytest.raises(OSError, match="cannot identify"):
        Image.open(BytesIO(base64.b64decode(answer("garbage_image")[0].b64_json)))
    assert Image.open(BytesIO(base64.b64decode(answer("wrong_format")[0].b64_json))).format == "JPEG"
    assert {"empty", "null_data", "not_base64", "garbage_image", "wrong_format", "drop", "hang"} == MISBEHAVIOURS


def test_a_picture_may_ask_for_its_fault(standin: OpenAIStandIn) -> None:
    with pytest.raises(openai.BadRequestError, match="Billing hard limit"):
        edit(standin, image=picture({"fault": "billing_hard_limit"}))
    assert edit(standin, image=picture({"fault": "none of these"})).data


def test_a_rule_holds_for_its_prompts_and_files_and_as_often_as_it_says(standin: OpenAIStandIn) -> None:
    standin.fail("server_error", prompt="blue", filename="photo", times=2)

    for prompt, fails in [("blue", True), ("green", False), ("deep blue", True), ("blue", False)]:
        if fails:
            with pytest.raises(openai.InternalServerError):
                edit(standin, prompt)
        else:
            edit(standin, prompt)
    assert [call.fault for call in standin.calls] == ["server_error", None, "server_error", None]


def test_it_is_steered_over_http(standin: OpenAIStandIn) -> None:
    with httpx2.Client(base_url=f"{standin.base_url.removesuffix('/v1')}/_control", timeout=10) as control:
        control.post("/faults", json={"fault": "moderation", "times": 1}).raise_for_status()
        control.put("/latency", content="0.3").raise_for_status()

        with pytest.raises(openai.BadRequestError):
            edit(standin, "first")
        begun = time.monotonic()
        edit(standin, "second")

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


def test_twenty_at_once_take_little_more_than_one(standin: OpenAIStandIn) -> None:
    standin.latency = 0.5
    edit(standin)

    begun = time.monotonic()
    with ThreadPoolExecutor(20) as pool:
        assert all(answer.data for answer in pool.map(lambda n: edit(standin, f"green {n % 4}"), range(20)))

    assert time.monotonic() - begun < 9  # one after another they take ten seconds and more
    starts = [call.started_at for call in standin.calls[1:]]
    ends = [call.ended_at or 0 for call in standin.calls[1:]]
    assert sum(start < min(ends) for start in starts) > 5  # they ran side by side
