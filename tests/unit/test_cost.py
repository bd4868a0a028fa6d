"""What the page on costs says follows from its data, and its data from the state machine as it is."""

from itertools import pairwise
from typing import Any

import pytest

from tools.cost.model import IMAGES, Invocation, billed_ms, costs, measured, memory_mb, prices
from tools.render import definition

TOP = definition()
CHILD = TOP["States"]["EditEachImage"]["ItemProcessor"]
WALKS = [
    (TOP, measured().jobs["base64"].states),
    (TOP, measured().jobs["url"].states),
    (TOP, measured().jobs["batch"].batch_states),
    (CHILD, measured().jobs["batch"].states),
]


def following(state: dict[str, Any]) -> set[str]:
    """The states that come after one when nothing fails."""
    branches = [state, *state.get("Choices", [])]
    return {branch[key] for branch in branches for key in ("Next", "Default") if key in branch}


@pytest.mark.parametrize(("machine", "walk"), WALKS, ids=["base64", "url", "batch", "child"])
def test_the_counted_transitions_are_a_way_through_the_definition(machine: dict[str, Any], walk: list[str]) -> None:
    """Stale: run `make cost`."""
    states = machine["States"]

    assert walk[0] == machine["StartAt"]
    for one, other in pairwise(walk):
        assert other in following(states[one])
    assert following(states[walk[-1]]) == set()


def test_a_batch_costs_at_most_55_cents_for_1000_images_at_20_seconds() -> None:
    assert sum(costs("batch", 20, measured(), prices()).values()) <= 0.55


def test_what_is_measured_are_pictures_of_2_mb() -> None:
    assert 1_900_000 < measured().picture_bytes < 2_100_000


def test_a_wait_costs_what_the_small_functions_memory_costs() -> None:
    waiting = costs("url", 20, measured(), prices())["waiting for OpenAI (Lambda)"]

    gigabytes = memory_mb("ProcessSmallImageFunction") / 1024
    assert waiting == pytest.approx(IMAGES * 20 * gigabytes * prices().usd("lambda_gb_second"))


def test_a_transition_more_for_each_image_costs_what_aws_asks_for_it() -> None:
    given = measured()
    job = given.jobs["batch"]
    longer = given.model_copy(update={"jobs": {"batch": job.model_copy(update={"states": [*job.states, "Another"]})}})

    before, after = (sum(costs("batch", 20, one, prices()).values()) for one in (given, longer))

    assert after - before == pytest.approx(IMAGES * prices().usd("state_transition"))


def test_half_the_memory_takes_twice_the_time_and_s3_takes_its_own() -> None:
    invocation = Invocation(
        function="ProcessSmallImageFunction", cpu_ms=100, s3_reads=3, s3_writes=1, log_bytes=0, images=1
    )

    assert billed_ms(invocation) == pytest.approx(100 * 1769 / 512 + 4 * 50)
