"""Who stands in when a billing limit is reached, and when nobody does."""

import io
import json

import pytest

from functions.process_image import asking, engines
from functions.process_image.engines.engine import BillingLimitError, Edit, OnUsage, RateLimitedError, Task, Usage
from functions.process_image.telemetry import logger
from imagejobs.errors import EngineInvalidAnswerError, EngineRejectedError, OpenAIRejectedError
from imagejobs.job_store import JobStore
from standins.openai import OpenAIStandIn
from standins.openai_answers import REFUSALS, edited
from tests.integration.process_image.conftest import EDITED, Accept, Configure, invoke
from tests.integration.process_image.test_options import mask
from tests.support.jobs import JOB_ID
from tests.support.pictures import picture


class Scripted:
    """An engine that does as the test says, and hears what it is asked."""

    def __init__(self) -> None:
        self.answer: Exception | None = None
        self.asked: list[Task] = []

    def edit(self, task: Task, on_usage: OnUsage) -> Edit:
        self.asked.append(task)
        if self.answer:
            raise self.answer
        return Edit(EDITED, "image/png", "openai", str(task.options.model), Usage(1))


@pytest.fixture
def first(monkeypatch: pytest.MonkeyPatch, configure: Configure) -> Scripted:
    """The engine of a stack whose own model is the local one, with OpenAI to stand in for it."""
    engine, real = Scripted(), engines.engine_named
    monkeypatch.setattr(
        asking, "engine_named", lambda name, *rest: engine if name == "local_fallback" else real(name, *rest)
    )
    configure(OPENAI_IMAGE_MODEL="local", FALLBACK_MODELS="gpt-image-2, gpt-image-2.6-flare")
    return engine


def test_another_paid_engine_stands_in_at_the_billing_limit(
    accept: Accept, openai: OpenAIStandIn, first: Scripted
) -> None:
    first.answer = BillingLimitError("no money")
    accept("base64", picture())

    result = invoke("base64")

    assert (result["engine"], result["stands_in_for"]) == ("openai", "local_fallback")
    assert [call.model for call in openai.calls] == ["gpt-image-2"]
    assert invoke("base64", retries=1) == result | {"attempts": 2}


@pytest.mark.parametrize("error", [EngineRejectedError("no"), EngineInvalidAnswerError("what?")])
def test_nothing_but_the_billing_limit_leads_to_another_engine(
    accept: Accept, openai: OpenAIStandIn, first: Scripted, error: Exception
) -> None:
    first.answer = error
    accept("base64", picture())

    with pytest.raises(type(error)):
        invoke("base64")
    assert openai.calls == []


def test_a_stand_in_that_asks_to_wait_has_a_queue_of_its_own(
    accept: Accept, store: JobStore, openai: OpenAIStandIn, first: Scripted
) -> None:
    first.answer = BillingLimitError("no money")
    openai.will_answer(REFUSALS["rate_limit"], edited(EDITED))
    accept("base64", picture())

    waits = invoke("base64")

    assert (waits["status"], waits["engine"], waits["ticket"]) == ("rate_limited", "openai", 1)
    assert store.bucket.find("pacing/openai.json")
    waited = {name: waits[name] for name in ("engine", "ticket", "since", "attempts", "rate_limited")}
    assert invoke("base64", waited=waited)["engine"] == "openai"
    assert len(first.asked) == 2  # its bill may be paid by now


def test_an_engine_that_asks_to_wait_is_waited_for(accept: Accept, openai: OpenAIStandIn, first: Scripted) -> None:
    first.answer = RateLimitedError("slow down", 30)
    accept("base64", picture())

    waits = invoke("base64")

    assert (waits["engine"], waits["rate_limited"]) == ("local_fallback", 1)
    assert openai.calls == []


def test_the_chain_ends_with_the_billing_limit_of_its_last(
    accept: Accept, openai: OpenAIStandIn, first: Scripted
) -> None:
    first.answer = BillingLimitError("no money")
    openai.will_answer(REFUSALS["billing_hard_limit"])
    accept("base64", picture())

    with pytest.raises(OpenAIRejectedError, match="Billing hard limit"):
        invoke("base64")


GEMINI, BEDROCK = "gemini-nano-banana-2.1", "stability.stable-image-control-structure-v1:0"


@pytest.mark.parametrize("last", [["local"], []])
def test_a_stand_in_whose_engine_is_not_configured_is_passed_over_and_told_in_the_log(
    accept: Accept, configure: Configure, openai: OpenAIStandIn, monkeypatch: pytest.MonkeyPatch, last: list[str]
) -> None:
    logged = io.StringIO()
    monkeypatch.setattr(logger.registered_handler, "stream", logged)
    configure(FALLBACK_MODELS=" ".join([GEMINI, BEDROCK, *last]))
    openai.will_answer(REFUSALS["billing_hard_limit"])
    accept("base64", picture())

    if last:
        assert invoke("base64", may_hand_over=True)["engine"] == "local_fallback"
    else:
        with pytest.raises(OpenAIRejectedError, match="Billing hard limit"):
            invoke("base64", may_hand_over=True)
    lines = map(json.loads, logged.getvalue().splitlines())
    assert [(line["stand_in"], line["missing"]) for line in lines if line["message"] == "stand-in passed over"] == [
        (GEMINI, ["GEMINI_API_KEY"]),
        (BEDROCK, ["BEDROCK_REGION"]),
    ]


def test_the_local_engine_stands_in_whatever_was_asked_for_and_a_second_model_of_an_engine_does_not(
    accept: Accept, store: JobStore, configure: Configure, openai: OpenAIStandIn
) -> None:
    openai.will_answer(REFUSALS["billing_hard_limit"])
    accept("base64", picture(), options={"quality": "max", "output_format": "webp"}, mask=True)
    store.put_input(JOB_ID, mask(), "image/png", "mask")

    # OpenAI again has the same bill; the local one makes another picture always.
    configure(FALLBACK_MODELS="gpt-image-2 local")
    result = invoke("base64")

    assert (result["engine"], result["content_type"]) == ("local_fallback", "image/png")
    assert len(openai.calls) == 1
