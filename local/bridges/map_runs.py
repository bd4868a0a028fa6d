"""Bridge of Step Functions' Distributed Map.

| on AWS                                                             | ministack 1.5.33                           |
|--------------------------------------------------------------------|--------------------------------------------|
| ResultWriter puts the children's results into S3, and the state    | ignored: the state returns every result,   |
| returns where                                                      | however large                              |
| when the parent is aborted or times out, so are the map run and    | every child is still started and runs on   |
| its running children, and no other child starts                    |                                            |
| a child does not see its parent's variables                        | it does                                    |
| a child's history has the states that it entered                   | it is empty (here: their names)            |

Sources: developer guide, "ResultWriter (Map)"; API reference, MapRunExecutionCounts (aborted: "were running"; children
that had not started stay pending).
"""

import json
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from ministack.services import s3
from ministack.services import stepfunctions as sfn

from local.bridges.executions import StoppedError, stopped

_run_distributed_map, _run_sub_machine, _wait = sfn._run_distributed_map, sfn._run_sub_machine, sfn.futures_wait


def apply() -> None:
    """Put this bridge in place."""
    sfn._run_distributed_map = run_distributed_map
    sfn._run_sub_machine = run_child
    sfn.ThreadPoolExecutor = _StoppablePool
    sfn.futures_wait = wait


def run_distributed_map(
    state: dict[str, Any],
    raw_input: Any,
    effective: Any,
    processor: dict[str, Any],
    execution: dict[str, Any],
    ctx: dict[str, Any],
) -> tuple[Any, str | None]:
    """Run a Map state in distributed mode; returns its output and the next state."""
    children_only = {name: state[name] for name in state.keys() - {"ResultSelector", "ResultPath", "OutputPath"}}
    try:
        without_variables = {**ctx, "variables": {}}
        result, _ = _run_distributed_map(children_only, raw_input, effective, processor, execution, without_variables)
    except StoppedError:
        _abort(*_map_run_of(execution))
        raise
    if "ResultWriter" in state:
        writer = sfn._resolve_params_obj(state["ResultWriter"]["Parameters"], effective, ctx)
        as_lines = state["ResultWriter"].get("WriterConfig", {}).get("OutputType") == "JSONL"
        result = write_results(writer["Bucket"], writer.get("Prefix", ""), *_map_run_of(execution), as_lines=as_lines)
    output = sfn._apply_result_path(state, raw_input, sfn._apply_result_selector(state, result))
    return sfn._apply_output_path(state, output, ctx), sfn._next_or_end(state)


def run_child(states: dict[str, Any], start_at: str, given: Any, execution: dict[str, Any], ctx: dict[str, Any]) -> Any:
    """Run the states of a child, whose end counts for nothing when its parent ended before."""
    if "mapRunArn" in execution:
        states = _Remembered(states, execution)
    try:
        return _run_sub_machine(states, start_at, given, execution, ctx)
    finally:
        _raise_if_stopped()


def wait(futures: list[Future[Any]]) -> Any:
    """Wait for the children, unless the parent ends before."""
    done = _wait(futures)
    _raise_if_stopped()
    return done


class _Remembered(dict[str, Any]):
    """The states of a child, each of which is put into its history when it is looked up to be run."""

    def __init__(self, states: dict[str, Any], child: dict[str, Any]) -> None:
        super().__init__(states)
        self._child = child

    def get(self, name: str, default: Any = None) -> Any:
        state = super().get(name, default)
        if state:
            details = {"stateEnteredEventDetails": {"name": name}}
            sfn._add_event(self._child, f"{state['Type']}StateEntered", details)
        return state


class _StoppablePool(ThreadPoolExecutor):
    """Starts nothing more for an execution that has ended."""

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **options: Any) -> Future[Any]:
        event = stopped()
        return super().submit(lambda: None if event.is_set() else function(*arguments, **options))


def _raise_if_stopped() -> None:
    if stopped().is_set():
        raise StoppedError


def _map_run_of(execution: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The record of an execution's latest map run, and its children's."""
    run = [one for one in list(sfn._map_runs.values()) if one["executionArn"] == execution["executionArn"]][-1]
    return run, [one for one in list(sfn._executions.values()) if one.get("mapRunArn") == run["mapRunArn"]]


def _abort(run: dict[str, Any], children: list[dict[str, Any]]) -> None:
    running = [child for child in children if child["status"] == "RUNNING"]
    for record in (run, *running):
        record.update(status="ABORTED", stopDate=sfn.now_iso())
    for counts in (run["itemCounts"], run["executionCounts"]):
        counts["running"] -= len(running)
        counts["aborted"] += len(running)


def write_results(
    bucket: str, prefix: str, run: dict[str, Any], children: list[dict[str, Any]], *, as_lines: bool
) -> dict[str, Any]:
    """Put the children's results into S3, as a JSON array or as JSON lines; returns the state's result."""
    folder = f"{prefix.strip('/')}/{run['mapRunArn'].rpartition(':')[2]}".lstrip("/")
    files: dict[str, list[dict[str, Any]]] = {"FAILED": [], "PENDING": [], "SUCCEEDED": []}
    for status in ("FAILED", "SUCCEEDED"):
        if results := [_result(child) for child in children if child["status"] == status]:
            key, content = f"{folder}/{status}_0.json", json.dumps(results)
            if as_lines:
                key, content = f"{key}l", "".join(f"{json.dumps(result)}\n" for result in results)
            files[status].append({"Key": key, "Size": _put(bucket, key, content)})
    manifest = {"DestinationBucket": bucket, "MapRunArn": run["mapRunArn"], "ResultFiles": files}
    _put(bucket, f"{folder}/manifest.json", json.dumps(manifest))
    for counts in (run["itemCounts"], run["executionCounts"]):
        counts["resultsWritten"] = len(children)
    details = {"Bucket": bucket, "Key": f"{folder}/manifest.json"}
    return {"MapRunArn": run["mapRunArn"], "ResultWriterDetails": details}


def _put(bucket: str, key: str, content: str) -> int:
    body = content.encode()
    status, _, answer = s3._put_object(bucket, key, body, {"content-type": "application/json"})
    if status != 200:
        raise sfn._ExecutionError("States.ResultWriterFailed", bytes(answer).decode())
    return len(body)


def _result(child: dict[str, Any]) -> dict[str, Any]:
    result = {
        "ExecutionArn": child["executionArn"],
        "Input": child["input"],
        "InputDetails": {"Included": True},
        "Name": child["name"],
        "RedriveCount": 0,
        "RedriveStatus": "NOT_REDRIVABLE",
        "StartDate": child["startDate"],
        "StateMachineArn": child["stateMachineArn"],
        "Status": child["status"],
        "StopDate": child["stopDate"],
    }
    if child["status"] == "FAILED":
        return {**result, "Error": child["error"], "Cause": child["cause"]}
    return {**result, "Output": child["output"], "OutputDetails": {"Included": True}}
