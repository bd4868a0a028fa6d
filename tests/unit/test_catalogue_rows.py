"""The rows of Amazon Bedrock's and Gemini's models: what each needs, and the sizes that it takes."""

import pytest

from imagejobs.catalogue import MODELS, find_model, refusals
from imagejobs.edit_options import EditOptions

NEEDS = {
    "stability.stable-style-transfer-v1:0": "references",
    "stability.stable-image-search-replace-v1:0": "search",
    "stability.stable-image-search-recolor-v1:0": "search",
    "stability.stable-image-inpaint-v1:0": "mask",
    "stability.stable-image-erase-object-v1:0": "mask",
    "stability.stable-outpaint-v1:0": "size",
}


def told(model: str, *, mask: bool = False, references: int = 0, **options: object) -> list[str]:
    """What is refused of a task, as messages."""
    asked = EditOptions.model_validate({"model": model} | options)
    return [refusal.message for refusal in refusals(find_model(model), asked, mask=mask, references=references)]


@pytest.mark.parametrize("model", [model.name for model in MODELS if model.engine in ("bedrock", "gemini")])
def test_what_a_model_needs_is_asked_for_and_what_it_does_not_take_is_refused(model: str) -> None:
    need = NEEDS.get(model)

    assert told(model) == ([f"{need}: the model {model} needs it"] if need else [])
    given = told(
        model,
        mask=need == "mask",
        references=int(need == "references"),
        **{need: "512x512"} if need in ("size", "search") else {},
    )
    assert given == []
    assert [message for message in told(model, quality="high") if message.startswith("quality")] == [
        f"quality: the model {model} takes no quality: leave it out"
    ]


def test_a_search_is_refused_by_models_that_look_for_nothing() -> None:
    assert told("gpt-image-2.6-flare", search="the car") == [
        "search: the model gpt-image-2.6-flare takes no search: leave it out"
    ]


@pytest.mark.parametrize(
    ("size", "taken"),
    [
        ("1536x1024", True),
        ("2520x1080", True),
        ("auto", True),
        ("1500x1000", True),
        ("1000x999", False),
        ("8192x8192", False),
    ],
)
def test_a_gemini_model_takes_sizes_of_its_shapes(size: str, *, taken: bool) -> None:
    messages = told("gemini-nano-banana-2.1", size=size)

    assert (messages == []) is taken
    assert all("16,777,216 pixels in all, of the shapes 1:1, 2:3" in message for message in messages)
