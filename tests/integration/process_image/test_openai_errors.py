"""Each row of the table of OpenAI's failures, by the real SDK, against a real server."""

import socket
import time
from email.utils import formatdate

import pytest

from functions.process_image.asking import Engines
from functions.process_image.engines.engine import BillingLimitError, Edit, RateLimitedError, Task
from functions.process_image.ledger import Ledger
from functions.process_image.pictures import Picture
from functions.process_image.settings import ProcessImageSettings
from imagejobs.edit_options import EditOptions
from imagejobs.errors import JobError, OpenAIInvalidAnswerError, OpenAIRejectedError, OpenAIRetryableError
from imagejobs.prices import PriceList
from imagejobs.secrets import EditSecrets
from standins.openai import OpenAIStandIn
from standins.openai_answers import edited, refused
from standins.server import Answer
from tests.integration.process_image.conftest import EDITED
from tests.support.pictures import picture
from tests.support.waiting import PATIENCE

QUOTA = "insufficient_quota"

FALLBACK = {
    "400 by code": refused(400, "billing_hard_limit_reached", "billing_limit_user_error"),
    "400 by message": refused(400, message="Billing hard limit has been reached"),
    "429, the organization's limit": refused(429, "organization_spend_limit_exceeded", QUOTA),
    "429, the project's limit": refused(429, "project_spend_limit_exceeded", QUOTA),
    "429, the limit with a time to wait": refused(429, "project_spend_limit_exceeded", QUOTA, Retry_After="5"),
}

RETRY = {
    "408": (refused(408), "APIStatusError"),
    "409": (refused(409), "ConflictError"),
    "500": (refused(500, message="The server had an error"), "InternalServerError"),
    "502 as a page": (Answer(502, b"<html>Bad Gateway</html>", content_type="text/html"), "InternalServerError"),
    "503": (refused(503), "InternalServerError"),
    "500 with a billing code": (refused(500, "billing_hard_limit_reached"), "InternalServerError"),
    "no answer in time": (Answer(body={}, delay=PATIENCE), "APITimeoutError: Request timed out."),
    "an answer that drips without end": (Answer(connection="drip"), "APITimeoutError: Request timed out."),
    "a connection that breaks": (Answer(connection="drop"), "APIConnectionError: Connection error."),
}

# Each may have cost.
INVALID = {
    "no image": Answer(body={"created": 1, "data": []}),
    "no data": Answer(body={"created": 1}),
    "no base64": Answer(body={"created": 1, "data": [{"b64_json": "*"}]}),
    "no JSON": Answer(body=b"{"),
    "a page": Answer(body=b"<html>", content_type="text/html"),
    "an empty answer": Answer(body=b""),
    "JSON of another kind": Answer(body=[1, 2]),
    "no picture": edited(b"no picture at all"),
    "half a picture": edited(picture()[:100]),
}

REPORT = {
    "400": (refused(400, "invalid_value", "invalid_request_error", "Invalid size"), "BadRequestError: .*Invalid size"),
    "400, moderation": (
        refused(400, "moderation_blocked", "image_generation_user_error", "Your request was rejected"),
        "BadRequestError: .*Your request was rejected",
    ),
    "401": (refused(401, "invalid_api_key"), "AuthenticationError"),
    "403": (refused(403, "unsupported_country_region_territory"), "PermissionDeniedError"),
    "404": (refused(404, "model_not_found"), "NotFoundError"),
    "413": (refused(413), "APIStatusError"),
    "422": (refused(422), "UnprocessableEntityError"),
    "429, insufficient_quota itself": (refused(429, QUOTA, QUOTA), "RateLimitError"),
    "429, insufficient_quota with a time to wait": (refused(429, QUOTA, QUOTA, Retry_After="5"), "RateLimitError"),
    "429, no credit": (refused(429, "credit_balance_exhausted", QUOTA), "RateLimitError"),
    "429, OpenAI's own limit": (refused(429, "organization_usage_limit_exceeded", QUOTA), "RateLimitError"),
    "a picture of another format": (edited(picture(file_format="JPEG")), "asked for image/png"),
}


SECRETS = EditSecrets(OPENAI_API_KEY="sk-test")
SETTINGS = ProcessImageSettings(openai_timeout_seconds=PATIENCE)


def ask(openai: OpenAIStandIn, answer: Answer, **settings: object) -> Edit:
    """Have a picture edited by a server that gives this answer."""
    openai.will_answer(answer)
    # A server that never answers is given up soon, every other has the time that a busy machine needs.
    seconds = 1 if answer.delay or answer.connection == "drip" else PATIENCE
    changes = {"openai_base_url": openai.base_url, "openai_timeout_seconds": seconds} | settings
    return edit(SETTINGS.model_copy(update=changes))


def edit(settings: ProcessImageSettings, prompt: str = "make the sky purple", seconds: float = 2 * PATIENCE) -> Edit:
    """Have a picture edited with so many seconds left of the function's time."""
    task = Task((Picture(picture(), "image/png"),), prompt, EditOptions(model="m", output_format="png"), 0)
    engines = Engines(settings, SECRETS, time.monotonic() + seconds, Ledger(PriceList()))
    return engines.edit("openai", task)


@pytest.mark.parametrize("answer", FALLBACK.values(), ids=FALLBACK)
def test_the_billing_limit_is_told_from_every_other_failure(openai: OpenAIStandIn, answer: Answer) -> None:
    with pytest.raises(BillingLimitError):
        ask(openai, answer)


@pytest.mark.parametrize(("answer", "message"), RETRY.values(), ids=RETRY)
def test_what_passes_is_tried_again_by_the_state_machine(openai: OpenAIStandIn, answer: Answer, message: str) -> None:
    assert_fails(openai, answer, OpenAIRetryableError, message)


@pytest.mark.parametrize("answer", INVALID.values(), ids=INVALID)
def test_an_answer_without_a_sound_image_is_told_from_a_failure(openai: OpenAIStandIn, answer: Answer) -> None:
    assert_fails(openai, answer, OpenAIInvalidAnswerError, "APIResponseValidationError")


@pytest.mark.parametrize(("answer", "message"), REPORT.values(), ids=REPORT)
def test_the_rest_is_reported_as_it_is(openai: OpenAIStandIn, answer: Answer, message: str) -> None:
    assert_fails(openai, answer, OpenAIRejectedError, message)


def assert_fails(openai: OpenAIStandIn, answer: Answer, error: type[JobError], message: str) -> None:
    started = time.monotonic()

    with pytest.raises(error, match=message):
        ask(openai, answer)

    assert time.monotonic() - started < PATIENCE / 2
    assert len(openai.calls) == 1  # the SDK tries nothing again by itself


def test_a_connection_that_is_refused_is_tried_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = SETTINGS.model_copy(update={"openai_base_url": f"http://127.0.0.1:{port}/v1"})

    with pytest.raises(OpenAIRetryableError, match="APIConnectionError: Connection error"):
        edit(settings)


def test_the_functions_own_end_comes_before_a_longer_timeout(openai: OpenAIStandIn) -> None:
    openai.will_answer(Answer(body={}, delay=PATIENCE))
    settings = SETTINGS.model_copy(update={"openai_base_url": openai.base_url, "openai_timeout_seconds": 240})

    with pytest.raises(OpenAIRetryableError, match="Request timed out"):
        edit(settings, seconds=0.5)


def test_a_call_works_after_one_that_was_broken_off(openai: OpenAIStandIn) -> None:
    with pytest.raises(OpenAIRetryableError):
        ask(openai, Answer(connection="drip"))

    assert ask(openai, edited(EDITED)).engine == "openai"


def test_the_codes_of_the_billing_limit_are_configuration(openai: OpenAIStandIn) -> None:
    codes = {"openai_billing_limit_codes": "new_limit_reached, other_limit"}

    with pytest.raises(OpenAIRejectedError):
        ask(openai, refused(429, "project_spend_limit_exceeded", QUOTA), **codes)
    with pytest.raises(BillingLimitError):
        ask(openai, refused(403, "new_limit_reached"), **codes)


def test_long_messages_are_cut(openai: OpenAIStandIn) -> None:
    with pytest.raises(OpenAIRetryableError) as raised:
        ask(openai, Answer(500, b"x" * 100_000, content_type="text/plain"))
    assert len(str(raised.value)) < 1100


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry_After": "7"}, 7),
        ({"Retry_After": "2.5"}, 2.5),
        ({"retry_after_ms": "1500", "Retry_After": "2"}, 1.5),
        pytest.param({"Retry_After": formatdate(time.time() + 86_400, usegmt=True)}, 86_400, id="a date, in a day"),
        ({"Retry_After": formatdate(0, usegmt=True)}, 0),
        ({"Retry_After": "0"}, 0),
        ({"Retry_After": "soon"}, 0),
        ({"Retry_After": "9" * 400}, 0),
        ({"retry_after_ms": "nan"}, 0),
        ({}, 0),
    ],
    ids=str,
)
def test_a_rate_limit_names_the_time_to_wait_or_none(
    openai: OpenAIStandIn, headers: dict[str, str], seconds: float
) -> None:
    with pytest.raises(RateLimitedError, match=r"RateLimitError: .*too fast") as raised:
        ask(openai, refused(429, "rate_limit_exceeded", "requests", "too fast", **headers))

    assert raised.value.seconds == pytest.approx(seconds, abs=3600 if seconds > 3600 else 0.001)


@pytest.mark.parametrize("prompt", ["make the sky purple", 'write "été" on it\nin green'])
def test_a_prompt_that_openai_quotes_is_not_repeated(openai: OpenAIStandIn, prompt: str) -> None:
    openai.will_answer(refused(400, "moderation_blocked", message=f"Refused: {prompt} is not allowed"))
    settings = SETTINGS.model_copy(update={"openai_base_url": openai.base_url})

    with pytest.raises(OpenAIRejectedError, match=r"Refused: \(the prompt\) is not allowed"):
        edit(settings, prompt)


def test_the_account_behind_the_key_is_told_to_nobody(openai: OpenAIStandIn) -> None:
    message = (
        "Limit reached for gpt-image in organization org-aB3dEf9 on images per min, project `proj_9Zz`. "
        "Incorrect API key provided: sk-proj-ab*******xyz. Include the request ID req_123"
    )
    openai.will_answer(refused(400, "moderation_blocked", message=message))
    settings = SETTINGS.model_copy(update={"openai_base_url": openai.base_url})

    with pytest.raises(OpenAIRejectedError) as told:
        edit(settings)

    for hidden in ("org-", "aB3dEf9", "proj-", "proj_", "9Zz", "sk-", "xyz"):
        assert hidden not in str(told.value)
    assert "req_123" in str(told.value)
    assert "Limit reached for gpt-image" in str(told.value)
