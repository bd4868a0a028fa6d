"""What is logged and counted of an image."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import boto3
import pytest

from functions.process_image.telemetry import logger
from imagejobs.errors import OpenAIInvalidAnswerError, OpenAIRejectedError, OpenAIRetryableError
from imagejobs.job_store import JobStore
from standins.openai import OpenAIStandIn
from standins.openai_answers import USAGE, edited, refused
from standins.server import Answer
from tests.integration.process_image.conftest import Accept, Configure, invoke
from tests.support.batches import put_manifest
from tests.support.jobs import JOB_ID, PROMPT
from tests.support.pictures import picture

# What the stand-in's answer takes: 308 tokens of a picture and 15 of text, at the default model's prices.
PAID = {
    "InputTokens": USAGE["input_tokens"],
    "OutputTokens": USAGE["output_tokens"],
    "CostUSD": round((308 * 8 + 15 * 5 + 1056 * 30) / 1e6, 6),
}

type Lines = Callable[[], tuple[dict[str, Any], dict[str, Any]]]


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Lines:
    """The one log line and the one EMF line of a call, beside those of models."""
    # The logger holds on to the standard output that there was when it was made.
    logged = io.StringIO()
    monkeypatch.setattr(logger.registered_handler, "stream", logged)

    def read() -> tuple[dict[str, Any], dict[str, Any]]:
        (log,), emf = logged.getvalue().splitlines(), capsys.readouterr().out.splitlines()
        (metrics,) = (line for line in emf if '"model"' not in line)
        logged.seek(0)
        logged.truncate()
        assert PROMPT not in log + metrics
        return json.loads(log), json.loads(metrics)

    return read


def counted(metrics: dict[str, Any]) -> dict[str, float]:
    """The metrics of an EMF line, which has one dimension."""
    (directive,) = metrics["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "ImageJobs"
    assert directive["Dimensions"] == [["service"]]
    return {metric["Name"]: sum(metrics[metric["Name"]]) for metric in directive["Metrics"]}


def test_an_edit(accept: Accept, lines: Lines) -> None:
    accept("base64", picture())

    result = invoke("base64")

    log, metrics = lines()
    assert log["message"] == "image edited"
    assert (log["job_id"], log["correlation_id"]) == (JOB_ID, "correlation-1")
    assert log["ms"] == result["ms"]
    counts = counted(metrics)
    assert 0 < counts.pop("OpenAILatency") < 5000
    assert counts == {"Retries": 0, "ImagesProcessed": 1, **PAID}


def test_an_edit_that_is_found_is_not_counted_again(accept: Accept, lines: Lines) -> None:
    accept("base64", picture())
    invoke("base64")
    lines()

    invoke("base64", retries=1)

    assert counted(lines()[1]) == {"Retries": 1}


def test_a_fallback(accept: Accept, openai: OpenAIStandIn, lines: Lines) -> None:
    openai.will_answer(refused(400, "billing_hard_limit_reached"))
    accept("base64", picture())

    invoke("base64")

    log, metrics = lines()
    assert log["engine"] == "local_fallback"
    assert counted(metrics) == {"Retries": 0, "BillingLimits": 1, "ImagesProcessed": 1, "Fallbacks": 1}


def test_a_local_edit_that_was_asked_for_is_not_a_fallback(accept: Accept, configure: Configure, lines: Lines) -> None:
    configure(OPENAI_IMAGE_MODEL="local")
    accept("base64", picture())

    invoke("base64")

    assert not {"Fallbacks", "BillingLimits"} & set(counted(lines()[1]))


def test_a_billing_limit_counts_where_nobody_stands_in(
    accept: Accept, configure: Configure, openai: OpenAIStandIn, lines: Lines
) -> None:
    configure(ENABLE_FALLBACK_SINGLE="false")
    openai.will_answer(refused(400, "billing_hard_limit_reached"))
    accept("base64", picture())

    with pytest.raises(OpenAIRejectedError):
        invoke("base64")

    assert counted(lines()[1]) == {"Retries": 0, "BillingLimits": 1, "ImagesFailed": 1}


def test_failures(accept: Accept, openai: OpenAIStandIn, lines: Lines) -> None:
    accept("base64", picture())

    openai.will_answer(refused(500))
    with pytest.raises(OpenAIRetryableError):
        invoke("base64")
    log, metrics = lines()
    assert (log["level"], log["error"]) == ("WARNING", "OpenAIRetryableError, InternalServerError")
    assert counted(metrics) == {"Retries": 0, "AttemptsFailed": 1}

    openai.will_answer(refused(400, "moderation_blocked", message=f"not allowed: {PROMPT}"))
    with pytest.raises(OpenAIRejectedError):
        invoke("base64", retries=1)
    assert counted(lines()[1]) == {"Retries": 1, "ImagesFailed": 1}


def test_what_an_answer_without_a_sound_image_cost(accept: Accept, openai: OpenAIStandIn, lines: Lines) -> None:
    accept("base64", picture())

    openai.will_answer(edited(picture()[:100]))
    with pytest.raises(OpenAIInvalidAnswerError):
        invoke("base64")
    counts = counted(lines()[1])
    assert counts.pop("OpenAILatency") >= 0
    assert counts == {"Retries": 0, "AttemptsFailed": 1, "InvalidAnswers": 1, "ProbablyPaidTwice": 1, **PAID}

    with pytest.raises(OpenAIRejectedError, match="no sound image"):
        invoke("base64", waited={"attempts": 3, "rate_limited": 2})
    assert counted(lines()[1]).items() >= {"ImagesFailed": 1, "InvalidAnswers": 1, **PAID}.items()

    openai.will_answer(edited(picture(file_format="JPEG")))
    with pytest.raises(OpenAIRejectedError, match="asked for image/png"):
        invoke("base64", retries=1)
    assert counted(lines()[1]).items() >= {"Retries": 1, "ImagesFailed": 1, **PAID}.items()


LOST: dict[str, tuple[Answer, dict[str, str]]] = {
    "it breaks off": (replace(edited(picture()), connection="drop"), {}),
    "it takes too long": (edited(picture(), delay=12), {"OPENAI_TIMEOUT_SECONDS": "3"}),
}
UNPAID: dict[str, tuple[Answer, dict[str, str]]] = {
    "OpenAI fails": (refused(503), {}),
    "OpenAI was never reached": (edited(picture()), {"OPENAI_BASE_URL": "http://127.0.0.1:1"}),
    "the moderation's answer is lost": (edited(picture()), {"PROMPT_SCREENING": "openai"}),
}


@pytest.mark.parametrize(
    ("answer", "variables", "times"),
    [*((*case, 1) for case in LOST.values()), *((*case, 0) for case in UNPAID.values())],
    ids=[*LOST, *UNPAID],
)
def test_an_edit_whose_answer_is_lost_counts_as_probably_paid_twice(
    accept: Accept,
    openai: OpenAIStandIn,
    configure: Configure,
    lines: Lines,
    answer: Answer,
    variables: dict[str, str],
    times: int,
) -> None:
    openai.will_answer(answer)
    openai.will_moderate(replace(edited(picture()), connection="drop"))
    configure(**variables)
    accept("base64", picture())

    with pytest.raises(OpenAIRetryableError):
        invoke("base64")

    assert counted(lines()[1]).get("ProbablyPaidTwice", 0) == times


def test_an_answer_that_says_nothing_of_tokens(accept: Accept, openai: OpenAIStandIn, lines: Lines) -> None:
    accept("base64", picture())
    answer = edited(picture())
    openai.will_answer(replace(answer, body=answer.body | {"usage": {"input_tokens": "many"}}))

    invoke("base64")

    counts = counted(lines()[1])
    assert counts.items() >= {"ImagesProcessed": 1, "InputTokens": 0, "OutputTokens": 0}.items()
    assert "CostUSD" not in counts


def test_a_rate_limit(accept: Accept, openai: OpenAIStandIn, lines: Lines) -> None:
    openai.will_answer(refused(429, Retry_After="9"))
    accept("base64", picture())

    invoke("base64")

    log, metrics = lines()
    assert log["wait_seconds"] in (7, 8)
    assert counted(metrics) == {"Retries": 0, "RateLimits": 1}


@pytest.mark.parametrize("level", ["INFO", "DEBUG"])
def test_no_object_key_is_logged_at_any_level(
    accept: Accept, store: JobStore, openai: OpenAIStandIn, monkeypatch: pytest.MonkeyPatch, level: str
) -> None:
    logged = io.StringIO()
    monkeypatch.setattr(logger.registered_handler, "stream", logged)
    before = logger.log_level
    logger.setLevel(level)
    try:
        boto3.client("s3").put_object(Bucket="input", Key="anna.png", Body=picture())
        accept("batch")
        at = put_manifest(store, JOB_ID, ["anna.png", "anna/2.png"])
        invoke("batch", at=at["anna.png"])
        openai.will_answer(refused(400, "moderation_blocked"))
        boto3.client("s3").put_object(Bucket="input", Key="anna/2.png", Body=picture())
        with pytest.raises(OpenAIRejectedError):
            invoke("batch", at=at["anna/2.png"])
    finally:
        logger.setLevel(before)

    lines = [json.loads(line) for line in logged.getvalue().splitlines()]
    assert "anna" not in logged.getvalue()
    assert lines[-1]["error"] == "OpenAIRejectedError, BadRequestError moderation_blocked"
