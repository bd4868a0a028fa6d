"""Which models edit an image, in order, and what each of them is asked for."""

from typing import Any

import pytest

from functions.process_image.chain import choices_of
from functions.process_image.settings import ProcessImageSettings
from imagejobs.workflow import Operation
from tests.support.jobs import job_request

OPENAI = {"quality": "medium", "size": "auto", "background": "auto", "output_format": "png"}
CHAIN = "gpt-image-2, gemini-3-pro-image, stability.stable-image-inpaint-v1:0, local"


def chain(operation: Operation = "url", *, fallbacks: str = CHAIN, **fields: Any) -> dict[str, dict[str, Any]]:
    """The models in order, each with its options beside its name."""
    settings = ProcessImageSettings(fallback_models=fallbacks)
    choices = choices_of(job_request(operation, **fields), settings)
    return {one.model.name: {k: v for k, v in one.options.chosen.items() if k != "model"} for one in choices}


def test_by_default_the_local_one_alone_stands_in_for_the_stacks_own() -> None:
    assert chain(fallbacks="local") == {"gpt-image-2.6-flare": OPENAI, "local": {}}


def test_a_second_model_of_an_engine_and_one_that_needs_what_the_job_has_not_are_passed_over() -> None:
    assert list(chain()) == ["gpt-image-2.6-flare", "gemini-3-pro-image", "local"]


def test_one_that_cannot_be_shown_the_mask_is_passed_over() -> None:
    assert list(chain(mask=True)) == ["gpt-image-2.6-flare", "stability.stable-image-inpaint-v1:0", "local"]
    assert "gemini-3-pro-image" not in chain(reference_urls=["https://e.example/a.png"] * 14)


def test_each_is_asked_for_what_it_takes_of_the_callers_choices() -> None:
    asked = {"quality": "high", "size": "1536x1024", "output_format": "webp", "output_compression": 70}

    assert chain(options=asked) == {
        "gpt-image-2.6-flare": asked | {"background": "auto"},
        "gemini-3-pro-image": {"size": "1536x1024"},
        "local": {},
    }


def test_openai_stands_in_with_the_owners_defaults() -> None:
    assert chain(options={"model": "gemini-3-pro-image"})["gpt-image-2"] == OPENAI


@pytest.mark.parametrize(("operation", "models"), [("url", 1), ("batch", 2)])
def test_the_fallback_of_single_images_can_be_switched_off(operation: Operation, models: int) -> None:
    settings = ProcessImageSettings(enable_fallback_single=False)

    assert len(choices_of(job_request(operation), settings)) == models
