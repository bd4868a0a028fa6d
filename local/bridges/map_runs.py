"""Bridge of Step Functions' Distributed Map.

| on AWS                                                             | ministack 1.5.33                           |
|--------------------------------------------------------------------|--------------------------------------------|
| ResultWriter puts the children's results into S3, and the state    | ignored: the state returns every result,   |
| returns where                                                      | however large                              |
| when the parent is aborted or times out, so are the map run and    | every child is still started and runs on   |
| its running children, and no other child starts                    |                                            |

Sources: developer guide, "ResultWriter (Map)"; API reference, MapRunExecutionCounts (aborted: "were running"; children
that had not started stay pending).
"""

import contextvars
import copy
import json
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

from ministack.services import s3
from ministack.services import stepfunctions as sfn

from local.bridges.executions import StoppedError, stopped

_COUNTS = ("pending", "running", "succeeded", "failed", "timedOut", "aborted", "total", "resultsWritten")
_COUNTS_OF_REDRIVE = ("failuresNotRedrivable", "pendingRedrive")
_MAX_CONCURRENCY = 1_000
_POLL = 0.05


def apply() -> None:
    """Put this bridge in place."""
    sfn._run_distributed_map = run_distributed_map


def run_distributed_map(
    state: dict[str, Any],
    raw_input: Any,
    effective: Any,
    processor: dict[str, Any],
    execution: dict[str, Any],
    ctx: dict[str, Any],
) -> tuple[Any, str | None]:
    """Run a Map state in distributed mode; returns its output and the next state."""
    if "ItemReader" in state:
        items = sfn._read_map_items(state["ItemReader"], effective, ctx)
    else:
        items = sfn._resolve_path_or_ctx(state.get("ItemsPath", "$"), effective, ctx)
    run = MapRun(state, effective, processor, execution, ctx, items)
    run.process()
    result: Any = run.write_results() if "ResultWriter" in state else run.outputs()
    output = sfn._apply_result_path(state, raw_input, sfn._apply_result_selector(state, result))
    return sfn._apply_output_path(state, output, ctx), sfn._next_or_end(state)


class MapRun:
    """One map run: a child execution for each item."""

    def __init__(
        self,
        state: dict[str, Any],
        effective: Any,
        processor: dict[str, Any],
        execution: dict[str, Any],
        ctx: dict[str, Any],
        items: list[Any],
    ) -> None:
        self.state, self.effective, self.processor, self.ctx, self.items = state, effective, processor, ctx, items
        self.execution = execution
        self.machine_arn = f"{execution['stateMachineArn']}/{state.get('Label') or sfn.new_uuid()}"
        self.id = sfn.new_uuid()
        self.arn = f"{self.machine_arn.replace(':stateMachine:', ':mapRun:')}:{self.id}"
        self.children: list[dict[str, Any]] = []
        self.record = {
            "mapRunArn": self.arn,
            "executionArn": execution["executionArn"],
            "status": "RUNNING",
            "startDate": sfn.now_iso(),
            "maxConcurrency": int(state.get("MaxConcurrency") or 0),
            "toleratedFailurePercentage": float(state.get("ToleratedFailurePercentage") or 0),
            "toleratedFailureCount": int(state.get("ToleratedFailureCount") or 0),
            "itemCounts": self._new_counts(),
            "executionCounts": self._new_counts(),
            "redriveCount": 0,
            "_stateMachineArn": self.machine_arn,
        }
        self._lock = threading.Lock()
        sfn._map_runs[self.arn] = self.record

    def process(self) -> None:
        """Run every item; raises when more of them fail than is tolerated, or when the parent ends."""
        workers = min(self.record["maxConcurrency"] or _MAX_CONCURRENCY, _MAX_CONCURRENCY, len(self.items) or 1)
        pool = ThreadPoolExecutor(max_workers=workers)
        futures = {
            pool.submit(contextvars.copy_context().run, self._run_child, index, item)
            for index, item in enumerate(self.items)
        }
        while futures and not stopped().is_set():
            done, futures = wait(futures, timeout=_POLL)
            for future in done:
                future.result()
        pool.shutdown(wait=False, cancel_futures=True)
        if stopped().is_set():
            self._abort()
            raise StoppedError
        failed = sum(child["status"] == "FAILED" for child in self.children)
        exceeded = failed > 0 and not self._tolerates(failed)
        self.record.update(status="FAILED" if exceeded else "SUCCEEDED", stopDate=sfn.now_iso())
        if exceeded:
            raise sfn._ExecutionError(
                "States.ExceedToleratedFailureThreshold", "The specified tolerated failure threshold was exceeded"
            )

    def outputs(self) -> list[Any]:
        """The children's outputs, null for a failed one; in the order in which the children started."""
        return [json.loads(child["output"] or "null") for child in self.children]

    def write_results(self) -> dict[str, Any]:
        """Put the results into S3; returns the state's result."""
        writer = sfn._resolve_params_obj(self.state["ResultWriter"]["Parameters"], self.effective, self.ctx)
        bucket, folder = writer["Bucket"], f"{writer.get('Prefix', '').strip('/')}/{self.id}".lstrip("/")
        files: dict[str, list[dict[str, Any]]] = {"FAILED": [], "PENDING": [], "SUCCEEDED": []}
        for status in ("FAILED", "SUCCEEDED"):
            results = [self._result(child) for child in self.children if child["status"] == status]
            if results:
                key, content = f"{folder}/{status}_0.json", json.dumps(results)
                if self.state["ResultWriter"].get("WriterConfig", {}).get("OutputType") == "JSONL":
                    key, content = f"{key}l", "".join(f"{json.dumps(result)}\n" for result in results)
                files[status].append({"Key": key, "Size": self._put(bucket, key, content)})
        manifest = {"DestinationBucket": bucket, "MapRunArn": self.arn, "ResultFiles": files}
        self._put(bucket, f"{folder}/manifest.json", json.dumps(manifest))
        for counts in self._counts():
            counts["resultsWritten"] = len(self.children)
        details = {"Bucket": bucket, "Key": f"{folder}/manifest.json"}
        return {"MapRunArn": self.arn, "ResultWriterDetails": details}

    def _run_child(self, index: int, item: Any) -> None:
        if stopped().is_set():
            return
        ctx = copy.deepcopy(self.ctx)
        ctx["Map"] = {"Item": {"Index": index, "Value": item}}
        ctx["variables"] = {}  # the parent's are out of a child's reach
        selector = self.state.get("ItemSelector") or self.state.get("Parameters")
        payload = sfn._resolve_params_obj(selector, self.effective, ctx) if selector else item
        child = self._new_child(payload)
        try:
            output = sfn._run_sub_machine(self.processor["States"], self.processor["StartAt"], payload, child, ctx)
            self._end(child, "succeeded", output=json.dumps(output))
        except StoppedError:
            pass  # _abort says what became of it
        except Exception as error:  # noqa: BLE001 - whatever a state raises fails its execution
            name, cause = getattr(error, "error", "States.Runtime"), getattr(error, "cause", str(error))
            self._end(child, "failed", error=name, cause=cause)

    def _new_child(self, payload: Any) -> dict[str, Any]:
        name = sfn.new_uuid()
        child = {
            "executionArn": f"{self.machine_arn.replace(':stateMachine:', ':execution:')}:{name}",
            "stateMachineArn": self.machine_arn,
            "name": name,
            "status": "RUNNING",
            "startDate": sfn.now_iso(),
            "stopDate": None,
            "input": json.dumps(payload),
            "inputDetails": {"included": True},
            "output": None,
            "outputDetails": {"included": True},
            "mapRunArn": self.arn,
            "events": [],
            "testCase": self.execution.get("testCase"),
            "mockAttempts": {},
        }
        with self._lock:
            self.children.append(child)
            sfn._executions[child["executionArn"]] = child
            self._move("pending", "running")
        return child

    def _end(self, child: dict[str, Any], outcome: str, **details: str) -> None:
        with self._lock:
            if child["status"] == "RUNNING":
                child.update(status=outcome.upper(), stopDate=sfn.now_iso(), **details)
                self._move("running", outcome)

    def _abort(self) -> None:
        for child in self.children:
            self._end(child, "aborted")
        self.record.update(status="ABORTED", stopDate=sfn.now_iso())

    def _tolerates(self, failed: int) -> bool:
        limits = []
        if "ToleratedFailureCount" in self.state:
            limits.append(failed <= self.record["toleratedFailureCount"])
        if "ToleratedFailurePercentage" in self.state:
            limits.append(failed * 100 <= self.record["toleratedFailurePercentage"] * len(self.items))
        return bool(limits) and all(limits)

    def _new_counts(self) -> dict[str, int]:
        counts = dict.fromkeys((*_COUNTS, *_COUNTS_OF_REDRIVE), 0)
        return {**counts, "total": len(self.items), "pending": len(self.items)}

    def _counts(self) -> list[dict[str, int]]:
        return [self.record["itemCounts"], self.record["executionCounts"]]

    def _move(self, source: str, target: str) -> None:
        for counts in self._counts():
            counts[source] -= 1
            counts[target] += 1

    def _put(self, bucket: str, key: str, content: str) -> int:
        body = content.encode()
        status, _, answer = s3._put_object(bucket, key, body, {"content-type": "application/json"})
        if status != 200:
            raise sfn._ExecutionError("States.ResultWriterFailed", bytes(answer).decode())
        return len(body)

    @staticmethod
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
