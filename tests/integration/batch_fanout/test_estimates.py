"""What a batch would cost: told by a dry run, and held to the caller's bound and the owner's."""

from typing import Any

import pytest

from imagejobs.errors import CostTooHighError
from imagejobs.job_store import JobStore
from imagejobs.workflow import Estimate
from tests.integration.batch_fanout.conftest import (
    Configure,
    fill,
    invoke,
    listed,
    record,
    summarize,
    summary_of,
)

# Three images at $0.5 each.
IMAGES, PRICED = ("a.png", "b.png", "sub/c.png"), {"OPENAI_IMAGE_MODEL": "m", "MODEL_PRICES": '{"m": {"edit": 0.5}}'}
UNKNOWN = {"OPENAI_IMAGE_MODEL": "of-another-server"}


def list_images() -> dict[str, Any]:
    return invoke(action="list_images")


def dry_run(store: JobStore, **choices: Any) -> str:
    """Run a dry run as the state machine does; gives what its callback says."""
    fill(*IMAGES)
    record(store, dry_run=True, **choices)
    assert list_images()["total_files"] == 0
    counts = summarize(None)
    assert counts == {"total_files": 0, "processed": 0, "failed": 0, "fallback_local": 0}
    (told,) = summary_of(store).errors
    return told


def test_a_dry_run_edits_nothing_and_says_how_many_images_there_are_and_what_they_would_cost(
    store: JobStore, configure: Configure
) -> None:
    configure(**PRICED)

    told = dry_run(store)

    assert told == "dry run: 3 images would be edited for about $1.50. Nothing was edited or paid"
    assert summary_of(store).estimate == Estimate(images=3, cost_usd=1.5)
    assert listed(store) == list(IMAGES)


def test_a_dry_run_counts_what_the_batch_would_edit(store: JobStore, configure: Configure) -> None:
    configure(**PRICED)

    assert "dry run: 1 image would be edited for about $0.5000." in dry_run(store, max_files=1)


def test_a_dry_run_says_that_the_batch_would_be_refused(store: JobStore, configure: Configure) -> None:
    configure(**PRICED, MAX_COST_USD_PER_JOB="1.25")

    assert "for about $1.50. The batch would be refused, since the limit is $1.25 (MaxCostUsdPerJob)." in dry_run(store)


def test_a_dry_run_makes_no_cost_up(store: JobStore, configure: Configure) -> None:
    configure(**UNKNOWN)

    assert "3 images would be edited, at a cost that is not known" in dry_run(store)
    assert summary_of(store).estimate == Estimate(images=3)


@pytest.mark.parametrize(
    ("asked", "owners", "refusal"),
    [
        (1.49, "0", r"3 images would cost about \$1\.50, and the limit is \$1\.49 \(max_cost_usd\)"),
        (1.5, "0", ""),
        (None, "1", r"3 images would cost about \$1\.50, and the limit is \$1\.00 \(MaxCostUsdPerJob\)"),
        (1.2, "1.4", r"\$1\.20 \(max_cost_usd\)"),
        (9, "1.4", r"\$1\.40 \(MaxCostUsdPerJob\)"),
        (None, "0", ""),
    ],
)
def test_a_batch_above_its_bound_ends_before_anything_is_paid(
    store: JobStore, configure: Configure, asked: float | None, owners: str, refusal: str
) -> None:
    configure(**PRICED, MAX_COST_USD_PER_JOB=owners)
    fill(*IMAGES)
    record(store, max_cost_usd=asked)

    if refusal:
        with pytest.raises(CostTooHighError, match=refusal):
            list_images()
    else:
        assert list_images()["total_files"] == 3


def test_a_bound_needs_a_price(store: JobStore, configure: Configure) -> None:
    configure(**UNKNOWN)
    fill(*IMAGES)
    record(store, max_cost_usd=100)

    with pytest.raises(
        CostTooHighError, match=r"3 images may cost at most \$100\.00 .* no estimate can be made: choose"
    ):
        list_images()


def test_an_empty_batch_costs_nothing(store: JobStore, configure: Configure) -> None:
    configure(**UNKNOWN, MAX_COST_USD_PER_JOB="1")
    record(store)

    assert list_images()["total_files"] == 0
    assert listed(store) == []
