"""Takes the definition's ways through AWS's own TestState: `python -m tools.check_states` (docs/reliability.md).

Nothing is deployed or started, and no function is called: every task is mocked. It takes credentials with the right
`states:TestState`, and no role.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console

from tools.render import definition
from tools.stack import run, session
from tools.state_paths import WAYS, Json, Step, Way

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.client import SFNClient


@dataclass(frozen=True)
class Difference:
    """Where Step Functions does otherwise than it must: the way, the state, and what it did."""

    way: str
    state: str
    told: str


def walk(client: "SFNClient", way: Way, machine: Json) -> Iterator[Difference]:
    """Take one way; ends at the first state after which Step Functions goes elsewhere."""
    given = way.input
    for step in way.steps:
        answer: Any = client.test_state(**request(step, given, machine))
        # A retry comes back to the state by itself, and names no state that follows.
        following = step.state if answer["status"] == "RETRIABLE" else answer.get("nextState")
        if (answer["status"], following) != (step.status, step.next):
            why = f": {answer['error']}: {answer.get('cause', '')}" if answer.get("error") else ""
            yield Difference(way.name, step.state, f"{answer['status']}, then {following}{why}")
            return
        if answer["status"] in ("SUCCEEDED", "CAUGHT_ERROR"):
            given = json.loads(answer.get("output", "{}"))


def request(step: Step, given: Json, machine: Json) -> dict[str, Any]:
    """The parameters of TestState for one step. Only what is mocked may have a context."""
    sent: dict[str, Any] = {
        "definition": json.dumps(machine),
        "stateName": step.state,
        "input": json.dumps(given),
        "inspectionLevel": "INFO",
    }
    if step.variables:
        sent["variables"] = json.dumps(step.variables)
    if step.result is None and not step.error:
        return sent
    if step.error:
        sent["mock"] = {"errorOutput": {"error": step.error, "cause": "mocked"}}
        sent["stateConfiguration"] = {"retrierRetryCount": step.retries}
    else:
        # An answer of Lambda is checked against Lambda's own API, where a payload is bytes: not what a state sees.
        sent["mock"] = {"result": json.dumps(step.result), "fieldValidationMode": "NONE"}
    state = {"Name": step.state, "RetryCount": step.retries}
    sent["context"] = json.dumps({"Execution": {"Name": "a-job"}, "State": state})
    return sent


def machine_of(way: Way) -> Json:
    """The state machine, or the one that a map run's children run."""
    whole = definition()
    return whole["States"]["EditEachImage"]["ItemProcessor"] if way.child else whole


def main() -> None:
    """Take every way through TestState; ends with 1 where Step Functions does otherwise than it must."""
    client = session().client("stepfunctions")
    console = Console(highlight=False, soft_wrap=True)
    differing = 0
    for way in WAYS:
        found = list(walk(client, way, machine_of(way)))
        console.print(f"{'[red]differs' if found else '[green]as it must be'}[/]: {way.name}")
        for difference in found:
            console.print(f"  {difference.state}: {difference.told}", markup=False)
        differing += len(found)
    if differing:
        raise typer.Exit(1)


if __name__ == "__main__":
    run(main)
