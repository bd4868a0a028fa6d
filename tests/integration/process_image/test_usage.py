"""What an image took of its model: told, kept with the edit, counted by model, and recorded where it was in vain."""

import json
from typing import Any

import pytest

from functions.process_image import app
from imagejobs.errors import OpenAIInvalidAnswerError, OpenAIRejectedError, StorageUnavailableError
from imagejobs.job_store import JobStore
from imagejobs.spent import list_spent
from imagejobs.storage import Bucket
from imagejobs.usage import ModelUsage
from standins.openai import OpenAIStandIn
from standins.openai_answers import REFUSALS, edited
from tests.integration.process_image.conftest import Accept, Configure, invoke, stored
from tests.support.jobs import JOB_ID
from tests.support.pictures import picture
from tests.support.signed import signed_jpeg, signed_png

COST = round((308 * 8 + 15 * 5 + 1056 * 30) / 1e6, 6)
TOOK: dict[str, Any] = {
    "engine": "openai",
    "model": "gpt-image-2.6-flare",
    "input_tokens": 323,
    "output_tokens": 1056,
    "cost_usd": COST,
}


def test_an_edit_tells_its_model_tokens_and_cost_and_keeps_them(accept: Accept, openai: OpenAIStandIn) -> None:
    accept("url", picture())

    first = invoke("url")
    found = invoke("url", retries=1)

    assert first.items() >= TOOK.items()
    assert found == first | {"attempts": 2}
    assert len(openai.calls) == 1


def test_the_fallback_costs_nothing(accept: Accept, openai: OpenAIStandIn) -> None:
    openai.will_answer(REFUSALS["billing_hard_limit"])
    accept("base64", picture())

    result = invoke("base64")

    assert (result["engine"], result["model"], result["cost_usd"]) == ("local_fallback", "local", 0)


def test_an_unknown_model_has_no_cost_but_its_owners(accept: Accept, configure: Configure) -> None:
    configure(OPENAI_IMAGE_MODEL="of-another-server")
    accept("base64", picture())
    result = invoke("base64")
    assert result["input_tokens"] == 323
    assert "cost_usd" not in result

    configure(MODEL_PRICES=json.dumps({"of-another-server": {"edit": 0.02}}))
    accept("url", picture())
    assert invoke("url")["cost_usd"] == 0.02


def test_metrics_by_engine_and_model(accept: Accept, capsys: pytest.CaptureFixture[str]) -> None:
    accept("base64", picture())
    invoke("base64")

    (line,) = (json.loads(one) for one in capsys.readouterr().out.splitlines() if '"model"' in one and "_aws" in one)
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    (dimensions,) = directive["Dimensions"]
    assert {name: line[name] for name in dimensions} == {
        "service": "process_image",
        "engine": "openai",
        "model": "gpt-image-2.6-flare",
    }
    assert {one["Name"]: line[one["Name"]] for one in directive["Metrics"]} == {
        "InputTokens": [323],
        "OutputTokens": [1056],
        "CostUSD": [COST],
    }


def test_what_an_attempt_paid_in_vain_is_recorded(accept: Accept, openai: OpenAIStandIn, store: JobStore) -> None:
    openai.will_answer(edited(picture()[:100]))
    accept("base64", picture())
    for retries in (0, 1):
        with pytest.raises(OpenAIInvalidAnswerError):
            invoke("base64", retries=retries)

    openai.will_answer(edited(picture()))
    assert invoke("base64", retries=2)["cost_usd"] == COST

    # The edit itself is none of them.
    assert list(list_spent(store.bucket, JOB_ID)) == [ModelUsage(**TOOK)] * 2


def test_an_edit_that_could_not_be_kept_was_paid_in_vain(
    accept: Accept, store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Unreachable(Bucket):
        def put(self, *args: Any, **named: Any) -> bool:
            raise StorageUnavailableError("503")

    accept("url", picture())
    own = app.resources()
    monkeypatch.setattr(type(own), "output_bucket", lambda *_: Unreachable(own.clients.s3, "output"))

    with pytest.raises(StorageUnavailableError):
        invoke("url")

    assert list(list_spent(store.bucket, JOB_ID)) == [ModelUsage(**TOOK)]


def test_what_costs_nothing_leaves_no_record(accept: Accept, openai: OpenAIStandIn, store: JobStore) -> None:
    openai.will_answer(REFUSALS["rate_limit"])
    accept("base64", picture())
    invoke("base64")
    openai.will_answer(REFUSALS["moderation"])
    with pytest.raises(OpenAIRejectedError, match="safety system"):
        invoke("base64")

    assert list(list_spent(store.bucket, JOB_ID)) == []


@pytest.mark.parametrize(("signed", "output_format"), [(signed_png(), "png"), (signed_jpeg(), "jpeg")])
@pytest.mark.parametrize("operation", ["base64", "url"])
def test_content_credentials_are_kept_byte_for_byte(
    accept: Accept, configure: Configure, openai: OpenAIStandIn, operation: str, signed: bytes, output_format: str
) -> None:
    configure(OPENAI_IMAGE_OUTPUT_FORMAT=output_format)
    openai.will_answer(edited(signed))
    accept(operation, picture())

    invoke(operation)

    suffix = output_format.replace("jpeg", "jpg")
    where = ("jobs", f"jobs/{JOB_ID}/result"), ("output", f"results/{JOB_ID}/image_modified.{suffix}")
    assert stored(*where[operation == "url"]) == signed
