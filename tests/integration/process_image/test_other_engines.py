"""The whole function with a job that names another provider's model, over real HTTP and moto's AWS."""

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest

from imagejobs.errors import ConfigurationError, EngineRejectedError
from standins.bedrock import BedrockStandIn, filtered
from standins.bedrock import edited as bedrock_edited
from standins.gemini import SPENDING_CAP, GeminiStandIn
from standins.gemini import edited as gemini_edited
from standins.openai import OpenAIStandIn
from standins.openai_answers import REFUSALS
from tests.integration.conftest import SECRETS
from tests.integration.process_image.conftest import EDITED, Accept, Configure, invoke, keys_in, stored
from tests.support.jobs import JOB_ID
from tests.support.pictures import picture

STRUCTURE, NANO_BANANA = "stability.stable-image-control-structure-v1:0", "gemini-nano-banana-2.1"
RESULT = f"jobs/{JOB_ID}/result"


@pytest.fixture
def with_bedrock(configure: Configure) -> Any:
    """Bedrock's stand-in, switched on."""
    with BedrockStandIn() as server:
        configure(BEDROCK_REGION="us-east-1", BEDROCK_ENDPOINT_URL=server.base_url)
        server.will_answer(bedrock_edited(EDITED))
        yield server


@pytest.fixture
def with_gemini(configure: Configure) -> Any:
    """Gemini's stand-in, switched on by its key in the secret."""
    with GeminiStandIn() as server:
        secret = json.dumps(SECRETS | {"GEMINI_API_KEY": "gm-test"})
        boto3.client("secretsmanager").put_secret_value(SecretId="secrets", SecretString=secret)
        configure(GEMINI_BASE_URL=server.base_url)
        server.will_answer(gemini_edited(EDITED))
        yield server


def metadata(key: str) -> dict[str, str]:
    return boto3.client("s3").head_object(Bucket="jobs", Key=key)["Metadata"]


def test_bedrock_edits_what_names_its_model_and_the_edit_is_kept_and_found_again(
    with_bedrock: BedrockStandIn, accept: Accept, openai: OpenAIStandIn
) -> None:
    accept("base64", picture(4000, 3000, file_format="JPEG"), options={"model": STRUCTURE})

    edited, again = invoke("base64"), invoke("base64", retries=1)

    assert (edited["engine"], edited["content_type"]) == ("bedrock", "image/png")
    assert edited["note"] == "scaled down from 4000 x 3000 to 3547 x 2660 pixels to fit Amazon Bedrock's limits"
    assert stored("jobs", RESULT) == EDITED
    assert metadata(RESULT)["engine"] == again["engine"] == "bedrock"
    assert (edited["model"], edited["cost_usd"], again["model"]) == (STRUCTURE, 0.07, STRUCTURE)
    assert [call.model for call in with_bedrock.calls] == [f"us.{STRUCTURE}"]  # nothing is paid for twice
    assert not openai.calls


def test_gemini_edits_what_names_its_model_and_the_edit_is_kept_and_found_again(
    with_gemini: GeminiStandIn, accept: Accept, openai: OpenAIStandIn
) -> None:
    body = picture(96, 64, "crimson", "JPEG")
    with_gemini.will_answer(gemini_edited(body, "image/jpeg"))
    accept("base64", picture(), options={"model": NANO_BANANA})

    edited, again = invoke("base64"), invoke("base64", retries=1)

    assert (edited["engine"], edited["content_type"], again["engine"]) == ("gemini", "image/jpeg", "gemini")
    assert stored("jobs", RESULT) == body
    assert edited["model"] == again["model"] == NANO_BANANA
    assert (edited["input_tokens"], edited["output_tokens"]) == (1302, 1334)
    assert [(call.model, call.prompt) for call in with_gemini.calls] == [(NANO_BANANA, "make the sky purple")]
    assert with_gemini.keys == {"gm-test"}
    assert not openai.calls


def test_a_refusal_of_bedrocks_filter_is_reported(with_bedrock: BedrockStandIn, accept: Accept) -> None:
    with_bedrock.will_answer(filtered("Filter reason: prompt"))
    accept("base64", picture(80, 80), options={"model": STRUCTURE})

    with pytest.raises(EngineRejectedError, match="Filter reason: prompt: Amazon Bedrock made no image"):
        invoke("base64")
    assert RESULT not in keys_in("jobs")


def test_geminis_billing_limit_leads_to_the_model_that_stands_in(with_gemini: GeminiStandIn, accept: Accept) -> None:
    with_gemini.will_answer(SPENDING_CAP)
    accept("base64", picture(), options={"model": NANO_BANANA})

    edited = invoke("base64")

    assert (edited["engine"], edited["stands_in_for"]) == ("local_fallback", "gemini")


@pytest.mark.parametrize(("model", "missing"), [(STRUCTURE, "BEDROCK_REGION"), (NANO_BANANA, "GEMINI_API_KEY")])
def test_an_engine_that_is_not_switched_on_is_named_before_anything_is_paid(
    accept: Accept, configure: Callable[..., None], model: str, missing: str
) -> None:
    accept("base64", picture(), options={"model": model})

    with pytest.raises(ConfigurationError, match=f"configuration missing: {missing}$"):
        invoke("base64")


def test_the_small_function_hands_these_engines_over_since_their_answers_may_be_too_large(
    with_gemini: GeminiStandIn, accept: Accept, configure: Configure, openai: OpenAIStandIn
) -> None:
    accept("base64", picture(), options={"model": NANO_BANANA})
    assert invoke("base64", may_hand_over=True)["status"] == "handed_over"
    assert not with_gemini.calls


def test_so_it_does_where_one_of_them_is_to_stand_in(
    with_gemini: GeminiStandIn, accept: Accept, configure: Configure, openai: OpenAIStandIn
) -> None:
    configure(FALLBACK_MODELS=NANO_BANANA)
    openai.will_answer(REFUSALS["billing_hard_limit"])
    accept("base64", picture())

    assert invoke("base64", may_hand_over=True)["status"] == "handed_over"
    assert not with_gemini.calls
    edited = invoke("base64")
    assert (edited["engine"], edited["stands_in_for"]) == ("gemini", "openai")
