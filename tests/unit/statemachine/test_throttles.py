"""What becomes of a task while Lambda has no room for it: a small account, or a bound that the owner set."""

from typing import Any

import pytest
from ministack.services import stepfunctions

from local.bridges import executions
from tools.render import definition, substitutions

WHOLE = definition()
STATES: dict[str, Any] = WHOLE["States"] | WHOLE["States"]["EditEachImage"]["ItemProcessor"]["States"]
TASKS = {name: state for name, state in STATES.items() if state["Type"] == "Task"}
EDITS = ["EditImage", "EditOneImage"]


def test_a_throttled_account_is_waited_out() -> None:
    """Lambda refuses while the account's concurrency is used up, for as long as the edits take that use it."""
    # DeadLetter calls no function. Edits wait for as long as it takes.
    for name in TASKS.keys() - {"DeadLetter", *EDITS}:
        first = next(
            retrier
            for retrier in TASKS[name]["Retry"]
            if {"Lambda.TooManyRequestsException", "States.ALL"} & set(retrier["ErrorEquals"])
        )
        delays = [
            min(first["IntervalSeconds"] * first["BackoffRate"] ** attempt, first["MaxDelaySeconds"])
            for attempt in range(first["MaxAttempts"])
        ]
        # Full jitter takes half of a delay in the mean.
        assert sum(delays) / (2 if "JitterStrategy" in first else 1) > 15 * 60, name


@pytest.mark.parametrize(
    ("edit", "count", "wait"),
    [("EditImage", "CountThrottle", "WaitForTurn"), ("EditOneImage", "CountOnesThrottle", "WaitForOnesTurn")],
    ids=EDITS,
)
def test_a_throttled_edit_is_no_retry(edit: str, count: str, wait: str) -> None:
    """A retrier would count the throttled calls among the attempts at an image."""
    throttled = "Lambda.TooManyRequestsException"
    retried = {error for retrier in TASKS[edit]["Retry"] for error in retrier["ErrorEquals"]}
    catcher = TASKS[edit]["Catch"][0]

    assert not retried & {throttled, "States.ALL", "States.TaskFailed"}
    assert catcher["ErrorEquals"] == [throttled]
    assert (catcher["Next"], STATES[count]["Next"], STATES[wait]["Next"]) == (count, wait, edit)


@pytest.mark.parametrize("count", ["CountThrottle", "CountOnesThrottle"])
def test_waits_for_lambda_grow_so_that_two_days_of_them_fit_a_history(
    count: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An execution has 25,000 events at most (Step Functions Developer Guide, "Quotas")."""
    monkeypatch.setattr(stepfunctions, "_eval_intrinsic_arg", executions.intrinsic_argument)
    image = {"attempts": 1, "rate_limited": 1, "ticket": 7, "throttle_seconds": 5}
    loops, waited = 0, 0
    while waited < int(substitutions()["ExecutionTimeoutSeconds"]):
        longest = image["throttle_seconds"]
        filled = executions.fill_template(
            STATES[count]["Parameters"], {"outcome": {"image": image}}, {"variables": {"retries": 2}}
        )
        assert 1 <= filled["image"]["wait_seconds"] <= longest
        assert filled["image"] == {
            "attempts": image["attempts"] + 2,
            "rate_limited": 1,
            "ticket": 7,
            "throttle_seconds": longest + 5,
            "wait_seconds": filled["image"]["wait_seconds"],
        }
        image, loops, waited = filled["image"], loops + 1, waited + filled["image"]["wait_seconds"]

    assert loops * 12 < 25_000
