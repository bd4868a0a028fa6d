"""The ways that `make test-state` takes through AWS's TestState are the definition's, and its requests are valid."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from tools.check_states import Difference, machine_of, main, request, walk
from tools.render import definition
from tools.stack import run
from tools.state_paths import WAYS, Step, Way

STEPS = [(way, step) for way in WAYS for step in way.steps]


@pytest.fixture
def step_functions() -> Iterator[tuple[Any, Stubber]]:
    """A client whose requests are validated against the SDK's model of TestState."""
    client = boto3.client("stepfunctions", region_name="eu-central-1", aws_access_key_id="k", aws_secret_access_key="s")
    with Stubber(client) as stubber:
        yield client, stubber


def first(rules: list[dict[str, Any]], error: str) -> dict[str, Any] | None:
    """The first retrier or catcher of an error."""
    return next((one for one in rules if {error, "States.ALL"} & set(one["ErrorEquals"])), None)


@pytest.mark.parametrize(("way", "step"), STEPS, ids=lambda one: one.state if isinstance(one, Step) else None)
def test_what_follows_a_step_is_what_the_definition_has(way: Way, step: Step) -> None:
    state = machine_of(way)["States"][step.state]
    retrier = first(state.get("Retry", []), step.error)
    tries_left = bool(retrier and step.retries < retrier["MaxAttempts"])
    if step.status == "RETRIABLE":
        assert tries_left
    elif step.status == "CAUGHT_ERROR":
        catcher = first(state["Catch"], step.error)
        assert not tries_left
        assert catcher
        assert catcher["Next"] == step.next
    else:
        following = {branch.get(key) for branch in (state, *state.get("Choices", [])) for key in ("Next", "Default")}
        assert step.next in following
        assert (step.next is None) == (state["Type"] in ("Succeed", "Fail") or state.get("End", False))
    assert (step.result is not None or bool(step.error)) == (state["Type"] in ("Task", "Map"))


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_each_step_leads_to_the_next(way: Way) -> None:
    assert [step.next for step in way.steps] == [*(step.state for step in way.steps[1:]), None]
    if not way.child:
        assert way.steps[0].state == definition()["StartAt"]


def test_every_state_is_on_a_way() -> None:
    whole = definition()
    states = {*whole["States"], *whole["States"]["EditEachImage"]["ItemProcessor"]["States"]}

    assert {step.state for _, step in STEPS} == states


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_a_way_that_goes_as_it_must_is_walked_to_its_end_by_valid_requests(
    way: Way, step_functions: tuple[Any, Stubber]
) -> None:
    client, stubber = step_functions
    machine = machine_of(way)
    for step in way.steps:
        answer: dict[str, Any] = {"status": step.status, "output": "{}"}
        if step.next and step.status != "RETRIABLE":
            answer["nextState"] = step.next
        stubber.add_response("test_state", answer)

    assert list(walk(client, way, machine)) == []
    stubber.assert_no_pending_responses()


def test_a_state_that_leads_elsewhere_is_told_and_ends_its_way(step_functions: tuple[Any, Stubber]) -> None:
    client, stubber = step_functions
    stubber.add_response("test_state", {"status": "FAILED", "error": "States.Runtime", "cause": "no such path"})

    assert list(walk(client, WAYS[0], machine_of(WAYS[0]))) == [
        Difference(WAYS[0].name, "ChooseOperation", "FAILED, then None: States.Runtime: no such path")
    ]


def test_a_state_gets_the_output_of_the_one_before_and_a_context_only_where_it_is_mocked() -> None:
    machine = definition()
    choice, task = WAYS[0].steps[0], WAYS[0].steps[2]

    assert "context" not in request(choice, {}, machine)
    sent = request(task, {"job_id": "j"}, machine)
    assert json.loads(sent["input"]) == {"job_id": "j"}
    assert json.loads(sent["context"])["State"]["RetryCount"] == 0


def test_without_credentials_one_line_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setattr(sys, "argv", ["check_states"])

    with pytest.raises(SystemExit) as ended:
        run(main)

    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith("not done: no credentials for AWS were found.")
