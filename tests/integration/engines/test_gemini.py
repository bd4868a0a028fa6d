"""The engine Gemini over real HTTP: its request, and the table of errors row by row."""

import base64
import json
import socket
import time
from dataclasses import replace
from io import BytesIO

import pytest
from PIL import Image

from functions.process_image.engines.engine import BillingLimitError, RateLimitedError
from functions.process_image.engines.gemini import GeminiEngine
from functions.process_image.engines.gemini_errors import REFUSALS, STATUSES, TABLE
from functions.process_image.pictures import Picture
from imagejobs.errors import EngineInvalidAnswerError, EngineRejectedError, EngineRetryableError
from standins.gemini import SPENDING_CAP, USAGE, GeminiStandIn, blocked, edited, finished, refused, retry_info
from standins.server import Answer
from tests.integration.engines.conftest import EDITED, MAX_PIXELS, NANO_BANANA, PICTURE, edit, task
from tests.support.pictures import picture
from tests.support.waiting import PATIENCE

RETRY, REPORT, WAIT = EngineRetryableError, EngineRejectedError, RateLimitedError
ONCE_MORE = EngineInvalidAnswerError
# google/rpc/code.proto, but for OK.
CODES = {
    *("CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS"),
    *("PERMISSION_DENIED", "UNAUTHENTICATED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED"),
    *("OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"),
}


def test_an_edit_is_asked_for_with_every_picture_and_the_prompt(
    gemini: GeminiEngine, gemini_server: GeminiStandIn
) -> None:
    reference = Picture(picture(40, 40, "gold", "JPEG"), "image/jpeg")

    made, heard = edit(gemini, task(NANO_BANANA, PICTURE, reference))

    (call,), (request,) = gemini_server.calls, gemini_server.requests
    assert (call.model, call.status, gemini_server.keys) == (NANO_BANANA, 200, {"gm-test"})
    first, second, text = request["contents"][0]["parts"]
    for part, sent in ((first, PICTURE), (second, reference)):
        assert part["inlineData"]["mimeType"] == sent.media_type
        assert base64.b64decode(part["inlineData"]["data"]) == sent.body
    assert text == {"text": "make the sky purple"}
    # Without it, projects since October 2026 keep pictures and prompts.
    assert request["store"] is False
    assert request["generationConfig"] == {"responseModalities": ["IMAGE"]}
    assert (made.media_type, made.engine, made.model, made.note) == ("image/png", "gemini", NANO_BANANA, None)
    assert heard == [made.usage]
    assert made.usage.input_tokens == USAGE["promptTokenCount"]
    assert made.usage.output_tokens == USAGE["candidatesTokenCount"] + USAGE["thoughtsTokenCount"]


@pytest.mark.parametrize(
    ("size", "shape", "name", "tokens"),
    [
        ("1024x1024", "1:1", "1K", 1120),
        ("1024x1536", "2:3", "2K", 1680),
        ("1920x1080", "16:9", "2K", 1680),
        ("3840x2160", "16:9", "4K", 3780),
    ],
)
def test_a_size_is_asked_for_as_a_shape_and_a_size_that_is_no_smaller(
    gemini: GeminiEngine, gemini_server: GeminiStandIn, size: str, shape: str, name: str, tokens: int
) -> None:
    made, _ = edit(gemini, task(NANO_BANANA, size=size))

    asked = gemini_server.requests[0]["generationConfig"]["imageConfig"]
    assert asked == {"aspectRatio": shape, "imageSize": name}
    assert made.usage.output_tokens == tokens + USAGE["thoughtsTokenCount"]


@pytest.mark.parametrize(("file_format", "media_type"), [("PNG", "image/png"), ("JPEG", "image/jpeg")])
def test_an_edit_is_kept_as_it_came_in_whichever_format(
    gemini: GeminiEngine, gemini_server: GeminiStandIn, file_format: str, media_type: str
) -> None:
    body = picture(96, 64, "crimson", file_format)
    gemini_server.will_answer(edited(body, media_type))

    made, _ = edit(gemini, task(NANO_BANANA))

    assert (made.body, made.media_type) == (body, media_type)


def test_a_draft_of_the_models_thinking_is_not_the_edit(gemini: GeminiEngine, gemini_server: GeminiStandIn) -> None:
    draft, final = (
        {"inlineData": {"mimeType": "image/png", "data": base64.b64encode(body).decode()}}
        for body in (picture(), EDITED)
    )
    gemini_server.will_answer(finished("STOP", {"text": "first"}, final, draft | {"thought": True}))

    assert edit(gemini, task(NANO_BANANA))[0].body == EDITED


def test_what_is_too_large_to_go_inline_is_scaled_down_with_a_note(
    gemini: GeminiEngine, gemini_server: GeminiStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("functions.process_image.engines.gemini._MAX_PICTURE_BYTES", 2 * 20_000)
    noise = BytesIO()
    Image.effect_noise((300, 200), 80).convert("RGB").save(noise, "PNG")

    made, _ = edit(gemini, task(NANO_BANANA, Picture(noise.getvalue(), "image/png"), PICTURE))

    sent = base64.b64decode(gemini_server.requests[0]["contents"][0]["parts"][0]["inlineData"]["data"])
    assert len(sent) <= 20_000 < len(noise.getvalue())
    assert made.note is not None
    assert made.note.startswith("scaled down from 300 x 200 to ")
    assert made.note.endswith(" pixels to fit Gemini's limits")


EXHAUSTED = "RESOURCE_EXHAUSTED"
ROWS = {
    "the monthly limit of the project": (SPENDING_CAP, BillingLimitError),
    "the monthly limit of the billing account": (
        refused(429, EXHAUSTED, "Your billing account has exceeded its monthly spending cap."),
        BillingLimitError,
    ),
    "no credit": (refused(402, EXHAUSTED, "Your prepay credits are depleted."), REPORT),
    "no billing": (
        refused(429, EXHAUSTED, "Quota exceeded for metric: …/generate_content_free_tier_requests, limit: 0"),
        REPORT,
    ),
    "the rate limit": (refused(429, EXHAUSTED, "You exceeded your current quota."), WAIT),
    **{
        status: (refused(400, status), REPORT)
        for status in ("INVALID_ARGUMENT", "FAILED_PRECONDITION", "OUT_OF_RANGE", "ALREADY_EXISTS", "DATA_LOSS")
    },
    "UNAUTHENTICATED": (refused(401, "UNAUTHENTICATED"), REPORT),
    "PERMISSION_DENIED": (refused(403, "PERMISSION_DENIED"), REPORT),
    "NOT_FOUND": (refused(404, "NOT_FOUND"), REPORT),
    "UNIMPLEMENTED": (refused(501, "UNIMPLEMENTED"), REPORT),
    "ABORTED": (refused(409, "ABORTED"), RETRY),
    "CANCELLED": (refused(499, "CANCELLED"), RETRY),
    "UNKNOWN": (refused(500, "UNKNOWN"), RETRY),
    "INTERNAL": (refused(500, "INTERNAL"), RETRY),
    "UNAVAILABLE": (refused(503, "UNAVAILABLE"), RETRY),
    "DEADLINE_EXCEEDED": (refused(504, "DEADLINE_EXCEEDED"), RETRY),
    "no status: 408": (Answer(408, b""), RETRY),
    "no status: 413": (Answer(413, b"<html>", content_type="text/html"), REPORT),
    "no status: 429": (Answer(429, [1, 2]), WAIT),
    "no status: 502": (Answer(502, {"error": "Bad Gateway"}), RETRY),
    "a redirect": (Answer(302, b"", {"Location": "http://127.0.0.1:9/"}), REPORT),
}


@pytest.mark.parametrize(("answer", "error"), ROWS.values(), ids=ROWS)
def test_each_row_of_the_table_leads_to_its_error(
    gemini: GeminiEngine, gemini_server: GeminiStandIn, answer: Answer, error: type[Exception]
) -> None:
    gemini_server.will_answer(answer)

    with pytest.raises(error) as raised:
        edit(gemini, task(NANO_BANANA))

    assert type(raised.value) is error
    assert str(raised.value).startswith(str(answer.status))
    assert len(gemini_server.calls) == 1


def test_the_table_has_every_status_of_google_rpc_and_the_tests_every_row() -> None:
    tested = {json.loads(answer.payload)["error"]["status"] for name, (answer, _) in ROWS.items() if name in CODES}

    assert {row.status for row in TABLE} == CODES == tested | {EXHAUSTED}
    assert [row.error for row in TABLE if row.status == EXHAUSTED] == [BillingLimitError, REPORT, REPORT, WAIT]
    assert all(any(status in statuses for statuses, _ in STATUSES) for status in range(600))


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (refused(429, EXHAUSTED, "Please retry in 34.5s.", retry_info("34.5s"), Retry_After="9"), 34.5),
        (refused(429, EXHAUSTED, "No.", {"@type": "type.googleapis.com/google.rpc.Help"}, retry_info("7s")), 7),
        (refused(429, EXHAUSTED, "No.", Retry_After="9"), 9),
        (refused(429, EXHAUSTED, "No.", retry_info("soon")), 0),
        (refused(429, EXHAUSTED, "No."), 0),
    ],
    ids=["RetryInfo", "a later detail", "Retry-After", "unreadable", "none"],
)
def test_a_rate_limit_names_the_time_to_wait_or_none(
    gemini: GeminiEngine, gemini_server: GeminiStandIn, answer: Answer, seconds: float
) -> None:
    gemini_server.will_answer(answer)

    with pytest.raises(RateLimitedError) as raised:
        edit(gemini, task(NANO_BANANA))
    assert raised.value.seconds == seconds


ANSWERS = {
    **{reason: (finished(reason), REPORT) for reason in sorted(REFUSALS)},
    **{
        reason: (finished(reason, {"text": "I can only describe it."}), ONCE_MORE)
        for reason in ("NO_IMAGE", "IMAGE_OTHER", "OTHER", "MAX_TOKENS", "MALFORMED_RESPONSE", "STOP", "SOMETHING_NEW")
    },
    "a prompt that was refused": (blocked("SAFETY"), REPORT),
    "no candidate": (Answer(body={}), ONCE_MORE),
    "a candidate of another kind": (Answer(body={"candidates": "none", "usageMetadata": {}}), ONCE_MORE),
    "no base64": (finished("STOP", {"inlineData": {"data": "*"}}), ONCE_MORE),
    "no picture": (edited(b"no picture at all"), ONCE_MORE),
    "half a picture": (edited(EDITED[:100]), ONCE_MORE),
    "a picture of another type": (edited(picture(file_format="GIF")), REPORT),
}


@pytest.mark.parametrize(("answer", "error"), ANSWERS.values(), ids=ANSWERS)
def test_an_answer_200_without_a_sound_image_may_have_cost_and_is_no_success(
    gemini: GeminiEngine, gemini_server: GeminiStandIn, answer: Answer, error: type[Exception]
) -> None:
    gemini_server.will_answer(answer)
    heard: list[object] = []

    with pytest.raises(error) as raised:
        gemini.edit(task(NANO_BANANA), heard.append)

    assert type(raised.value) is error
    assert len(heard) == 1


@pytest.mark.parametrize("counts", ["none", [1], 7, {"promptTokenCount": -1, "candidatesTokenCount": "x"}])
def test_a_paid_edit_is_kept_whatever_the_counts_of_its_tokens_are(
    gemini: GeminiEngine, gemini_server: GeminiStandIn, counts: object
) -> None:
    whole = edited(EDITED)
    gemini_server.will_answer(replace(whole, body=whole.body | {"usageMetadata": counts}))

    made = gemini.edit(task(NANO_BANANA), lambda _: None)

    assert made.body == EDITED
    assert (made.usage.input_tokens, made.usage.output_tokens) == (0, 0)


@pytest.mark.parametrize("body", [b"{", b"", b"[1]"])
def test_an_answer_that_is_no_json_object_is_told_from_a_failure(
    gemini: GeminiEngine, gemini_server: GeminiStandIn, body: bytes
) -> None:
    gemini_server.will_answer(Answer(body=body))

    with pytest.raises(ONCE_MORE, match="no JSON object"):
        edit(gemini, task(NANO_BANANA))


@pytest.mark.parametrize("answer", [Answer(body={}, delay=PATIENCE), Answer(connection="drip")], ids=["none", "drip"])
def test_an_answer_that_does_not_come_in_time_is_given_up_and_the_next_call_works(
    gemini: GeminiEngine, gemini_server: GeminiStandIn, answer: Answer
) -> None:
    gemini_server.will_answer(answer, edited(EDITED))
    started = time.monotonic()

    with pytest.raises(RETRY, match="TimeoutError: Gemini gave no answer in 1 s"):
        edit(gemini, task(NANO_BANANA, timeout=1))

    assert time.monotonic() - started < PATIENCE / 2
    assert edit(gemini, task(NANO_BANANA))[0].body == EDITED


def test_a_connection_that_fails_is_tried_again(gemini: GeminiEngine, gemini_server: GeminiStandIn) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        closed = GeminiEngine("gm-test", MAX_PIXELS, f"http://127.0.0.1:{free.getsockname()[1]}")
    gemini_server.will_answer(Answer(connection="drop"))

    for engine in (gemini, closed):
        with pytest.raises(RETRY, match="Error: the connection to Gemini failed"):
            edit(engine, task(NANO_BANANA))


def test_neither_the_prompt_nor_the_account_is_repeated(gemini: GeminiEngine, gemini_server: GeminiStandIn) -> None:
    message = (
        "API key AIzaSyB-abc_123 is not valid for make the sky purple: Gemini API has not been used in project "
        "1234567890 before, see projects/my-project-42. Your project has no such right"
    )
    gemini_server.will_answer(refused(403, "PERMISSION_DENIED", message))

    with pytest.raises(REPORT) as raised:
        edit(gemini, task(NANO_BANANA))

    assert str(raised.value) == (
        "403 PERMISSION_DENIED: API key (the key) is not valid for (the prompt): Gemini API has not been used (it) "
        "before, see (it). Your project has no such right"
    )
