"""The rules that the rendered definition keeps."""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from functions.callback.delivery import LEASE_MARGIN_SECONDS
from imagejobs import errors
from tools.render import definition, substitutions, template

SOURCE = (Path(__file__).parents[3] / "statemachine" / "image_job.asl.json").read_text()
DEFINITION = definition()
ERROR_CLASSES = dict(inspect.getmembers(errors, inspect.isclass))


def states(machine: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, state in machine["States"].items():
        yield name, state
        if state["Type"] == "Map":
            yield from states(state["ItemProcessor"])


ALL_STATES = dict(states(DEFINITION))
TASKS = {name: state for name, state in ALL_STATES.items() if state["Type"] == "Task"}
WITH_RETRY = {name: state for name, state in ALL_STATES.items() if "Retry" in state}


def test_every_state_has_a_comment() -> None:
    assert [name for name, state in ALL_STATES.items() if not state.get("Comment")] == []


@pytest.mark.parametrize("name", TASKS)
def test_every_task_has_timeout_retry_and_catch(name: str) -> None:
    task = TASKS[name]
    assert task["TimeoutSeconds"] > 0
    assert task["Retry"]
    assert any("States.ALL" in catcher["ErrorEquals"] for catcher in task["Catch"])


@pytest.mark.parametrize("name", WITH_RETRY)
def test_delays_are_bounded_and_spread_where_many_run_at_once(name: str) -> None:
    for retrier in WITH_RETRY[name]["Retry"]:
        if retrier["MaxAttempts"] == 0:
            continue
        assert retrier["MaxDelaySeconds"] > retrier["IntervalSeconds"]
        # Deliveries go each at its own time to its own receiver, and their sum of delays is a promise; so are the wait
        # for another execution's attempt, and the time between two posts of progress.
        promised = name == "DeliverCallback" or "CallbackUnderWayError" in retrier["ErrorEquals"]
        promised = promised or str(retrier["IntervalSeconds"]) == substitutions()["ProgressSeconds"]
        assert promised or retrier["JitterStrategy"] == "FULL"


def test_named_errors_exist_and_retries_name_the_retryable_ones() -> None:
    for name, state in WITH_RETRY.items():
        for retrier in state["Retry"]:
            own = [error for error in retrier["ErrorEquals"] if "." not in error]
            base = errors.PermanentError if retrier["MaxAttempts"] == 0 else errors.RetryableError
            assert all(issubclass(ERROR_CLASSES[error], base) for error in own), name


@pytest.mark.parametrize(
    ("one", "other"),
    [("EditImage", "EditOneImage"), ("CollectEdit", "CollectOneEdit")],
    ids=["edits", "collections"],
)
def test_tasks_that_do_the_same_are_tried_again_alike(one: str, other: str) -> None:
    assert TASKS[one]["Retry"] == TASKS[other]["Retry"]
    assert TASKS[one]["TimeoutSeconds"] == TASKS[other]["TimeoutSeconds"]


def test_a_batchs_summary_is_tried_for_hours() -> None:
    """Its images are paid for, and to sum them up once more costs nothing."""
    retrier = TASKS["SummarizeBatch"]["Retry"][-1]
    delays = [
        min(retrier["IntervalSeconds"] * retrier["BackoffRate"] ** attempt, retrier["MaxDelaySeconds"])
        for attempt in range(retrier["MaxAttempts"])
    ]

    # The other task alone fetches pictures from strangers.
    listing = set(TASKS["ListImages"]["Retry"][-1]["ErrorEquals"])
    assert set(retrier["ErrorEquals"]) == listing - {"SourceUnavailableError"}
    assert sum(delays) / 2 > 2 * 3600


@pytest.mark.parametrize(("edit", "collect"), [("EditImage", "CollectEdit"), ("EditOneImage", "CollectOneEdit")])
def test_an_edit_is_looked_for_once_more_where_the_last_attempt_may_not_have_looked(edit: str, collect: str) -> None:
    retried = {error for retrier in TASKS[edit]["Retry"] for error in retrier["ErrorEquals"]}
    # These are raised after a look that found nothing.
    looked = {"SourceUnavailableError"} | {
        f"{who}{what}" for who in ("Engine", "OpenAI") for what in ("RetryableError", "InvalidAnswerError")
    }
    _, unheard, _ = TASKS[edit]["Catch"]

    assert set(unheard["ErrorEquals"]) == retried - looked
    assert unheard["Next"] == collect
    assert TASKS[collect]["Parameters"]["Payload"]["collect_only"] is True
    # The job fails with what its last attempt failed with, not with what the look did.
    assert TASKS[collect]["Catch"] == [
        {"ErrorEquals": ["States.ALL"], "ResultPath": None, "Next": TASKS[edit]["Catch"][-1]["Next"]}
    ]


@pytest.mark.parametrize(
    ("error", "further"),
    [("OpenAIInvalidAnswerError", 1), ("Sandbox.Timedout", 1), ("States.Timeout", 1), ("Runtime.ExitError", 2)],
)
@pytest.mark.parametrize("parameter", [0, 1, 20])
def test_what_costs_or_repeats_is_tried_again_a_set_number_of_times_at_most(
    error: str, further: int, parameter: int
) -> None:
    retriers = definition(EditMaxRetries=parameter)["States"]["EditImage"]["Retry"]
    counts = [retrier["MaxAttempts"] for retrier in retriers if error in retrier["ErrorEquals"]]

    # Step Functions takes the first retrier that names the error: a second one would be without effect.
    assert counts == [further if parameter else 0]


def test_every_count_of_retries_stands_in_the_template() -> None:
    counts = set(re.findall(r'"MaxAttempts": (\$\{\w+\}|\d+)', SOURCE))

    # 0 is a decision, not a count: what can never succeed is not tried again.
    assert counts - {"0"} == {f"${{{name}}}" for name in substitutions() if name.endswith("Retries")}


def test_the_template_fills_each_placeholder_and_no_other() -> None:
    assert set(re.findall(r"\$\{(\w+)\}", SOURCE)) == set(substitutions())


def test_every_way_ends_in_a_delivery() -> None:
    """From every state of a job but the delivery's own, whatever goes wrong leads to DeliverCallback."""
    top = DEFINITION["States"]

    def following(name: str) -> set[str]:
        state = top[name]
        branches = [state, *state.get("Choices", []), *state.get("Catch", [])]
        found = {branch[key] for branch in branches for key in ("Next", "Default") if key in branch}
        assert found, f"{name} ends without a delivery"
        return found

    seen = {"ReportProgress"}  # an execution beside the job's
    waiting = {DEFINITION["StartAt"]}
    while waiting - {"DeliverCallback"}:
        name = (waiting - {"DeliverCallback"}).pop()
        seen.add(name)
        waiting = (waiting | following(name)) - seen
    assert waiting == {"DeliverCallback"}
    assert top["DeliverCallback"]["Catch"][0]["Next"] == "GiveUp"


def test_a_dead_letter_is_sent_by_step_functions_and_recorded_when_it_is_sent() -> None:
    """A worker that dies between sending and recording would send a second one."""
    top = DEFINITION["States"]

    assert top["DeadLetter"]["Resource"].endswith(":::sqs:sendMessage")
    assert [top[name].get("Next", top[name].get("Default")) for name in ("GiveUp", "IsLetterDue", "DeadLetter")] == [
        "IsLetterDue",
        "DeadLetter",
        "RecordDeadLetter",
    ]
    # What is on the queue stays the delivery's end, whether that can be recorded or not.
    assert top["RecordDeadLetter"]["Catch"][-1]["Next"] == top["RecordDeadLetter"]["Next"] == "DeadLettered"


def test_an_attempt_that_crashed_is_always_followed_by_one_that_tells_whether_it_delivered() -> None:
    for attempts in (1, 21):
        retriers = definition(CallbackMaxRetries=attempts)["States"]["DeliverCallback"]["Retry"]
        crashed = next(one for one in retriers if "Runtime.ExitError" in one["ErrorEquals"])
        # A storm that kills half of all attempts leaves none in 100,000 jobs without an answer.
        assert 0.5 ** (1 + crashed["MaxAttempts"]) < 1e-5


@pytest.mark.parametrize("name", ["DeliverCallback", "GiveUp"])
def test_a_wait_for_another_executions_attempt_outlasts_its_lease_and_its_worker(name: str) -> None:
    longest = template()["Parameters"]["CallbackTimeoutSeconds"]["MaxValue"] + LEASE_MARGIN_SECONDS
    retrier = next(one for one in TASKS[name]["Retry"] if "CallbackUnderWayError" in one["ErrorEquals"])
    delays = [
        min(retrier["IntervalSeconds"] * retrier["BackoffRate"] ** attempt, retrier["MaxDelaySeconds"])
        for attempt in range(retrier["MaxAttempts"])
    ]

    assert "JitterStrategy" not in retrier
    assert sum(delays) > longest
    # The worker of the longest lease that ran out is dead.
    assert template()["Resources"]["CallbackFunction"]["Properties"]["Timeout"] <= longest


def test_a_receiver_down_for_twelve_hours_still_gets_its_payload() -> None:
    retrier = DEFINITION["States"]["DeliverCallback"]["Retry"][-1]
    delays = [
        min(retrier["IntervalSeconds"] * retrier["BackoffRate"] ** attempt, retrier["MaxDelaySeconds"])
        for attempt in range(retrier["MaxAttempts"])
    ]

    assert delays[:3] == [1, 3, 9]
    assert sum(delays) >= 12 * 3600
    assert len(delays) <= 25  # each attempt is one state transition
    assert sum(delays) < DEFINITION["TimeoutSeconds"]


def test_retries_are_one_less_than_the_attempts_of_the_parameter() -> None:
    attempts = template()["Parameters"]["CallbackMaxRetries"]["AllowedValues"]
    assert attempts == list(range(1, 41))
    for number in attempts:
        retrier = definition(CallbackMaxRetries=number)["States"]["DeliverCallback"]["Retry"][-1]
        assert retrier["MaxAttempts"] == number - 1


def test_only_ids_and_counts_travel_through_the_states() -> None:
    carried = {
        key.removesuffix(".$")
        for state in ALL_STATES.values()
        for key in state.get("Parameters", {}).get("Payload", state.get("ItemSelector", {}))
    }
    allowed = {"action", "at", "error", "job_id", "manifest_key", "operation", "outcome", "reports", "results"}
    assert carried == allowed | {"collect_only", "editor", "execution", "may_hand_over", "retries", "waited"}


@pytest.mark.parametrize(
    ("edit", "decide", "machine"),
    [
        ("EditImage", "IsImageEdited", DEFINITION),
        ("EditOneImage", "IsOneImageEdited", DEFINITION["States"]["EditEachImage"]["ItemProcessor"]),
    ],
    ids=["single", "batch"],
)
def test_a_picture_is_handed_over_once_at_most_to_the_function_that_takes_any(
    edit: str, decide: str, machine: dict[str, Any]
) -> None:
    task = machine["States"][edit]["Parameters"]
    (rule,) = [one for one in machine["States"][decide]["Choices"] if one["StringEquals"] == "handed_over"]
    hand_over = machine["States"][rule["Next"]]
    starts = DEFINITION["States"]["StartSmall"]["Parameters"], DEFINITION["States"]["EditEachImage"]["ItemSelector"]

    assert task["FunctionName.$"] == "$.editor.function"
    assert task["Payload"]["may_hand_over.$"] == "$.editor.may_hand_over"
    assert (hand_over["ResultPath"], hand_over["Next"]) == ("$.editor", edit)
    # The rendered ARNs end in the functions' logical ids.
    assert hand_over["Result"]["function"].endswith(":ProcessImageFunction")
    assert hand_over["Result"]["may_hand_over"] is False
    for start in starts:
        assert start["editor"]["function"].endswith(":ProcessSmallImageFunction")
        assert start["editor"]["may_hand_over"] is True


def test_a_batchs_children_get_all_they_need_from_the_item_selector() -> None:
    each = DEFINITION["States"]["EditEachImage"]
    payload = each["ItemProcessor"]["States"]["EditOneImage"]["Parameters"]["Payload"]
    needed = {path.split(".")[1] for path in payload.values() if isinstance(path, str) and path.startswith("$.")}
    selected = {key.removesuffix(".$") for key in each["ItemSelector"]}
    assert needed <= selected
    assert (each["MaxConcurrency"], each["ToleratedFailurePercentage"]) == (10, 100)
