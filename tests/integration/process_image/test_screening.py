"""What OpenAI's moderation model flags is not edited, and nothing is paid for it."""

import base64
import hashlib
import json
import os
from io import BytesIO

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from functions.process_image.engines import openai as engine
from imagejobs.errors import ContentFlaggedError, OpenAIRejectedError, OpenAIRetryableError
from imagejobs.job_store import JobStore
from standins.openai import OpenAIStandIn
from standins.openai_answers import refused
from standins.server import Answer
from tests.integration.process_image.conftest import Accept, Configure, invoke
from tests.support.pictures import picture

RESULT = {"flagged": True, "categories": {}, "category_scores": {}, "category_applied_input_types": {}}


@pytest.fixture
def screening(configure: Configure) -> None:
    """A deployment with PromptScreening=openai."""
    configure(PROMPT_SCREENING="openai")


def flagged_picture(category: str) -> bytes:
    """A picture that the stand-in flags."""
    note, buffer = PngInfo(), BytesIO()
    note.add_text("flag", category)
    Image.new("RGB", (8, 8)).save(buffer, "PNG", pnginfo=note)
    return buffer.getvalue()


def metrics(printed: str) -> dict[str, float]:
    """The counts of the EMF line that the function printed."""
    (line,) = [json.loads(line) for line in printed.splitlines() if '"_aws"' in line]
    return {name: value[0] for name, value in line.items() if isinstance(value, list)}


def test_screening_is_off_by_default(accept: Accept, openai: OpenAIStandIn) -> None:
    accept("base64", picture(), prompt="[flag:violence]")

    assert invoke("base64")["engine"] == "openai"
    assert not openai.moderations


@pytest.mark.usefixtures("screening")
def test_prompt_and_picture_are_shown_to_the_moderation_model_before_the_edit(
    accept: Accept, openai: OpenAIStandIn
) -> None:
    job, image = accept("base64", picture()), picture()

    assert invoke("base64")["engine"] == "openai"
    (body,) = openai.moderations
    asked = json.loads(body)
    assert asked["model"] == "omni-moderation-latest"
    text, shown = asked["input"]
    assert text == {"type": "text", "text": job.prompt}
    assert shown["image_url"]["url"] == f"data:image/png;base64,{base64.b64encode(image).decode()}"


@pytest.mark.usefixtures("screening")
@pytest.mark.parametrize(
    ("prompt", "image", "categories"),
    [
        ("[flag:violence] [flag:self-harm/intent]", picture(), "self-harm/intent, violence"),
        ("make the sky purple", flagged_picture("sexual/minors"), "sexual/minors"),
    ],
    ids=["the prompt", "the picture"],
)
def test_what_is_flagged_fails_with_its_categories_and_nothing_is_paid(
    accept: Accept,
    openai: OpenAIStandIn,
    capsys: pytest.CaptureFixture[str],
    prompt: str,
    image: bytes,
    categories: str,
) -> None:
    accept("base64", image, prompt=prompt)

    with pytest.raises(ContentFlaggedError, match=f"flagged the prompt or the picture: {categories}. Nothing"):
        invoke("base64")

    assert openai.calls == []
    printed = capsys.readouterr().out
    assert metrics(printed) == {"Retries": 0, "ImagesFailed": 1, "ImagesFlagged": 1}
    assert prompt not in printed


@pytest.mark.usefixtures("screening")
@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (refused(503), OpenAIRetryableError, "InternalServerError"),
        (refused(401, "invalid_api_key"), OpenAIRejectedError, "AuthenticationError"),
        (Answer(body=b"{"), OpenAIRetryableError, "no moderation result"),
        (Answer(body={"id": "m", "model": "o", "results": []}), OpenAIRetryableError, "no moderation result"),
        (Answer(body={"results": [{"flagged": None}]}), OpenAIRetryableError, "no moderation result"),
        (Answer(body=["?"]), OpenAIRetryableError, "no moderation result"),
        (Answer(connection="drip"), OpenAIRetryableError, "APITimeoutError"),
    ],
    ids=["503", "401", "no JSON", "no result", "no verdict", "JSON of another kind", "drips"],
)
def test_a_moderation_that_fails_goes_by_the_table_of_failures_and_nothing_is_edited(
    accept: Accept, openai: OpenAIStandIn, configure: Configure, answer: Answer, error: type[Exception], message: str
) -> None:
    configure(OPENAI_TIMEOUT_SECONDS="2")
    openai.will_moderate(answer)
    accept("base64", picture())

    with pytest.raises(error, match=message):
        invoke("base64")
    assert openai.calls == []


@pytest.mark.usefixtures("screening")
def test_a_rate_limit_of_the_moderation_model_is_waited_out_without_slowing_the_queue_of_edits(
    accept: Accept, store: JobStore, openai: OpenAIStandIn
) -> None:
    openai.will_moderate(refused(429, "rate_limit_exceeded", "requests", Retry_After="7"))
    accept("base64", picture())

    waits = invoke("base64")

    # As long as it is told, and at random up to as long again.
    assert 6 <= waits["wait_seconds"] <= 14
    assert (waits["ticket"], waits["rate_limited"]) == (0, 1)
    assert store.bucket.find("pacing/openai.json") is None
    assert openai.calls == []


@pytest.mark.usefixtures("screening")
def test_a_flag_without_a_category_refuses_too(accept: Accept, openai: OpenAIStandIn) -> None:
    openai.will_moderate(Answer(body={"id": "m", "model": "o", "results": [RESULT]}))
    accept("base64", picture())

    with pytest.raises(ContentFlaggedError, match="no category named"):
        invoke("base64")


@pytest.mark.usefixtures("screening")
def test_a_picture_over_openais_20_mb_is_screened_smaller_and_edited_whole(
    accept: Accept, openai: OpenAIStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_MODERATION_MAX_BYTES", 100_000)
    buffer = BytesIO()
    Image.frombytes("RGB", (300, 300), os.urandom(270_000)).save(buffer, "PNG")
    accept("base64", buffer.getvalue())

    invoke("base64")

    (body,) = openai.moderations
    assert len(body) < 100_000 * 4 / 3 + 500
    assert openai.calls[0].bytes_in == len(buffer.getvalue())


def test_openai_learns_a_digest_of_the_caller_with_every_edit(accept: Accept, openai: OpenAIStandIn) -> None:
    caller = "key:a1b2c3"
    accept("base64", picture(), caller=caller)

    invoke("base64")

    (body,) = openai.requests
    assert hashlib.sha256(caller.encode()).hexdigest().encode() in body
    assert caller.encode() not in body
