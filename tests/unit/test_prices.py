"""What models cost, and what an edit will: held to the figures that the providers publish."""

import re
import tomllib
from datetime import date
from pathlib import Path

import pytest
from samcli.cli.types import CfnParameterOverridesType

from imagejobs import prices
from imagejobs.catalogue import MODELS, Model
from imagejobs.edit_options import EditOptions
from imagejobs.estimates import estimate
from imagejobs.prices import ModelPrice, PriceList
from imagejobs.settings import PriceSettings
from tests.support.jobs import job_request

ROWS = prices._rows()


def price(model: str) -> ModelPrice:
    found = PriceList().find(model)
    assert found
    return found


@pytest.mark.parametrize("model", ROWS)
def test_every_price_says_when_and_where_it_was_read_and_allows_an_estimate(model: str) -> None:
    row = ROWS[model]

    assert date(2026, 9, 1) <= date.fromisoformat(row.as_of) <= date.today()
    assert row.source
    assert (row.edit is None) == (row.output is not None)
    assert row.estimate("x", EditOptions(quality="low", size="1024x1024"), 1) is not None
    assert row.estimate("x", EditOptions(), 1) is not None


@pytest.mark.parametrize("model", MODELS, ids=[model.name for model in MODELS])
def test_every_model_of_the_catalogue_can_be_estimated_at_every_quality(model: Model) -> None:
    for quality in (*model.qualities, None):
        assert price(model.name).estimate("x", EditOptions(quality=quality), 1) is not None


@pytest.mark.parametrize(
    ("size", "tokens"),
    [
        ("1024x1024", {"low": 196, "medium": 439, "high": 1756, "xhigh": 3122, "max": 7024}),
        ("1024x1536", {"low": 158, "medium": 343, "high": 1372, "xhigh": 2459, "max": 5488}),
        ("3840x2160", {"low": 371, "medium": 865, "high": 3336, "xhigh": 5930, "max": 13342}),
    ],
)
def test_output_tokens_are_those_of_openais_own_calculator(size: str, tokens: dict[str, int]) -> None:
    row = ModelPrice(output=1_000_000, grid=price("gpt-image-2.6-flare").grid)

    assert {one: row.estimate("", EditOptions(quality=one, size=size), 1) for one in tokens} == tokens


def test_an_estimate_takes_every_picture_and_the_prompt_into_account() -> None:
    options = EditOptions(quality="medium", size="1024x1024")
    row = price("gpt-image-2.6-flare")
    output, picture, prompt = 439 * 30e-6, 1536 * 8e-6, 100 * 5e-6

    assert row.estimate("x" * 300, options, 1) == pytest.approx(output + picture + prompt)
    assert row.estimate("", options, 16) == pytest.approx(output + 16 * picture)


def test_what_the_model_chooses_is_estimated_at_what_costs_most() -> None:
    row = price("gpt-image-2.6-flare")

    assert row.estimate("", EditOptions(quality="auto", size="auto"), 1) == row.estimate("", EditOptions(), 1)
    assert row.estimate("", EditOptions(), 1) == row.estimate("", EditOptions(quality="high", size="1024x1024"), 1)


@pytest.mark.parametrize("options", [EditOptions(quality="finest"), EditOptions(size="large")])
def test_what_the_price_does_not_know_has_no_estimate(options: EditOptions) -> None:
    assert price("gpt-image-2.6-flare").estimate("", options, 1) is None


def test_a_default_of_the_stack_that_the_callers_model_does_not_take_is_left_out_of_the_estimate() -> None:
    settings = PriceSettings(openai_image_quality="xhigh", openai_image_size="1024x1536")
    job = job_request("url", options={"model": "gpt-image-2"})

    told = estimate(job, settings)

    assert told == price("gpt-image-2").estimate(job.prompt, EditOptions(size="1024x1536"), 1)
    assert told is not None


def test_sizes_in_thousands_of_pixels() -> None:
    row = ModelPrice(output=1_000_000, output_tokens={"1K": 1120, "2K": 1680, "4K": 3780})
    sizes = {None: 1120, "1376x768": 1120, "1536x1024": 1680, "2048x2048": 1680, "3840x2160": 3780, "9999x9999": 3780}

    assert {size: row.estimate("", EditOptions(size=size), 1) for size in sizes} == sizes


def test_an_answers_cost_is_that_of_its_tokens() -> None:
    row = price("gpt-image-2.5-flare")

    assert row.cost(323, 1056, image_tokens=308) == round((15 * 5 + 308 * 8 + 1056 * 30) / 1e6, 6)
    # Not told apart, they count as the dearer kind.
    assert row.cost(323, 1056) == round((323 * 8 + 1056 * 30) / 1e6, 6)
    # An answer that tells no tokens was hardly free.
    assert row.cost(0, 0) is None
    assert price("stability.stable-image-inpaint-v1:0").cost(0, 0) == 0.07
    assert price("local").cost(0, 0) == 0


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("gpt-image-2.5-flare-2026-09-08", "gpt-image-2.5-flare"),
        ("us.stability.stable-image-inpaint-v1:0", "stability.stable-image-inpaint-v1:0"),
    ],
)
def test_snapshots_and_inference_profiles_cost_what_their_model_does(name: str, row: str) -> None:
    assert price(name) == ROWS[row]


def test_an_unknown_model_has_no_price() -> None:
    assert PriceList().find("gpt-image-9") is None


def test_an_owners_prices_take_the_place_of_the_files() -> None:
    own = PriceList(own={"gpt-image-2.6-flare": ModelPrice(edit=0.01), "mine": ModelPrice(edit=0.02)})

    assert [own.find(name).edit for name in ("gpt-image-2.6-flare", "mine")] == [0.01, 0.02]  # type: ignore[union-attr]
    assert own.find("gpt-image-2.6-sunburst") == ROWS["gpt-image-2.6-sunburst"]


def test_an_owners_prices_come_through_sam_as_deploying_says() -> None:
    text = (Path(__file__).parents[2] / "docs" / "deploying.md").read_text()
    (example,) = (one for one in re.findall(r"```toml\n(.*?)```", text, re.DOTALL) if "ModelPrices" in one)
    given = CfnParameterOverridesType().convert(tuple(tomllib.loads(example)["parameter_overrides"]), None, None)

    own = PriceSettings.from_environment({"MODEL_PRICES": given["ModelPrices"]}).prices

    assert own.find("my-model") == ModelPrice(edit=0.02)
    assert own.find("gpt-image-2.6-flare") == ModelPrice(text_input=5, image_input=8, output=30)
