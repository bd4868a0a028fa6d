"""Each row of the table of OpenAI's failures, by the real SDK, against a real server."""

import time
from email.utils import formatdate

import pytest

from imagejobs.errors import JobError, OpenAIRejectedError, OpenAIRetryableError
from tests.integration.process_image.conftest import Accept, Configure, invoke, keys_in
from tests.integration.process_image.openai_server import Answer, OpenAIServer, edited, refused
from tests.pictures import picture

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
    "429 without a time to wait": (refused(429, "rate_limit_exceeded", "requests"), "RateLimitError"),
    "429 with a time that is none": (refused(429, Retry_After="soon"), "RateLimitError"),
    "500": (refused(500, message="The server had an error"), "InternalServerError"),
    "502 as a page": (Answer(502, b"<html>Bad Gateway</html>", content_type="text/html"), "InternalServerError"),
    "503": (refused(503), "InternalServerError"),
    "500 with a billing code": (refused(500, "billing_hard_limit_reached"), "InternalServerError"),
    "no answer in time": (Answer(body={}, delay=3), "APITimeoutError: Request timed out."),
    "an answer that drips without end": (Answer(fault="drip"), "APITimeoutError: Request timed out."),
    "a connection that breaks": (Answer(fault="drop"), "APIConnectionError: Connection error."),
    "no image": (Answer(body={"created": 1, "data": []}), "APIResponseValidationError"),
    "no data": (Answer(body={"created": 1}), "APIResponseValidationError"),
    "no base64": (Answer(body={"created": 1, "data": [{"b64_json": "*"}]}), "APIResponseValidationError"),
    "no JSON": (Answer(body=b"{"), "APIResponseValidationError"),
    "a page": (Answer(body=b"<html>", content_type="text/html"), "APIResponseValidationError"),
    "an empty answer": (Answer(body=b""), "APIResponseValidationError"),
    "JSON of another kind": (Answer(body=[1, 2]), "APIResponseValidationError"),
    "no picture": (edited(b"no picture at all"), "APIResponseValidationError"),
    "half a picture": (edited(picture()[:100]), "APIResponseValidationError"),
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


@pytest.mark.parametrize("answer", FALLBACK.values(), ids=FALLBACK)
def test_the_billing_limit_alone_leads_to_the_fallback(accept: Accept, openai: OpenAIServer, answer: Answer) -> None:
    openai.will_answer(answer)
    accept("base64", picture())

    assert invoke("base64")["engine"] == "local_fallback"


@pytest.mark.parametrize(("answer", "words"), RETRY.values(), ids=RETRY)
def test_what_passes_is_tried_again_by_the_state_machine(
    accept: Accept, configure: Configure, openai: OpenAIServer, answer: Answer, words: str
) -> None:
    assert_fails(accept, configure, openai, answer, OpenAIRetryableError, words)


@pytest.mark.parametrize(("answer", "words"), REPORT.values(), ids=REPORT)
def test_the_rest_is_reported_as_it_is(
    accept: Accept, configure: Configure, openai: OpenAIServer, answer: Answer, words: str
) -> None:
    assert_fails(accept, configure, openai, answer, OpenAIRejectedError, words)


def assert_fails(
    accept: Accept, configure: Configure, openai: OpenAIServer, answer: Answer, error: type[JobError], words: str
) -> None:
    configure(OPENAI_TIMEOUT_SECONDS="1")
    openai.will_answer(answer)
    job = accept("base64", picture())
    started = time.monotonic()

    with pytest.raises(error, match=words):
        invoke("base64")

    assert time.monotonic() - started < 2.5
    assert openai.calls == 1  # the SDK tries nothing again by itself
    assert f"jobs/{job.job_id}/result" not in keys_in("jobs")


def test_the_codes_of_the_billing_limit_are_configuration(
    accept: Accept, configure: Configure, openai: OpenAIServer
) -> None:
    configure(OPENAI_BILLING_LIMIT_CODES="new_limit_reached, other_limit")
    accept("base64", picture())

    openai.will_answer(refused(429, "project_spend_limit_exceeded", QUOTA))
    with pytest.raises(OpenAIRejectedError):
        invoke("base64")
    openai.will_answer(refused(403, "new_limit_reached"))
    assert invoke("base64")["engine"] == "local_fallback"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry_After": "7"}, {7}),
        ({"Retry_After": "0"}, {1}),
        ({"Retry_After": "2.2"}, {3}),
        ({"retry_after_ms": "1500"}, {2}),
        ({"Retry_After": formatdate(time.time() + 86_400, usegmt=True)}, set(range(80_000, 86_401))),
        ({"Retry_After": formatdate(0, usegmt=True)}, {1}),
    ],
)
def test_a_rate_limit_is_waited_out(
    accept: Accept, configure: Configure, openai: OpenAIServer, headers: dict[str, str], seconds: set[int]
) -> None:
    configure(OPENAI_MAX_RATE_LIMIT_WAIT_SECONDS="90000")
    openai.will_answer(refused(429, "rate_limit_exceeded", "requests", **headers), edited())
    accept("base64", picture())

    waiting = invoke("base64", rate_limited=2)

    assert waiting.pop("wait_seconds") in seconds
    assert waiting == {"status": "rate_limited", "rate_limited": 3}
    assert invoke("base64", rate_limited=3)["attempts"] == 4


def test_a_rate_limit_that_never_ends_is_reported(accept: Accept, configure: Configure, openai: OpenAIServer) -> None:
    configure(OPENAI_MAX_RATE_LIMIT_WAITS="3", OPENAI_MAX_RATE_LIMIT_WAIT_SECONDS="60")
    accept("base64", picture())

    openai.will_answer(refused(429, message="Rate limit reached", Retry_After="60"))
    assert invoke("base64", rate_limited=2)["rate_limited"] == 3
    with pytest.raises(OpenAIRejectedError, match=r"RateLimitError: .*Rate limit reached"):
        invoke("base64", rate_limited=3)
    openai.will_answer(refused(429, message="Rate limit reached", Retry_After="61"))
    with pytest.raises(OpenAIRejectedError, match=r"RateLimitError: .*Rate limit reached"):
        invoke("base64")


def test_long_words_are_cut(accept: Accept, openai: OpenAIServer) -> None:
    openai.will_answer(Answer(500, b"x" * 100_000, content_type="text/plain"))
    accept("base64", picture())

    with pytest.raises(OpenAIRetryableError) as raised:
        invoke("base64")
    assert len(str(raised.value)) < 1100
