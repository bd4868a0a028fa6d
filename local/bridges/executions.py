"""Bridges of Step Functions: how an execution starts, waits, fails and ends.

| on AWS                                                          | ministack 1.5.33                              |
|-----------------------------------------------------------------|-----------------------------------------------|
| StartExecution with a running execution's name and input        | ExecutionAlreadyExists                        |
| returns that execution                                          |                                               |
| TimeoutSeconds of the state machine ends it as TIMED_OUT        | ignored                                       |
| nothing runs on behind an aborted execution                     | Retry and Wait go on; a failure then turns    |
|                                                                 | ABORTED into FAILED                           |
| Retry honours MaxDelaySeconds and JitterStrategy                | ignored, and every delay is cut to 60 s       |
| States.ALL matches neither States.Runtime nor                   | it matches both                               |
| States.DataLimitExceeded                                        |                                               |
| more than 256 KiB into or out of a task: DataLimitExceeded      | no limit                                      |
| a path of a payload template that finds nothing fails the state | it gives null                                 |
| a Catch's Assign sets variables, and `$name` in a payload       | in JSONata states alone                       |
| template reads them, within an intrinsic function too           |                                               |
| a throttled call of Lambda is Lambda.TooManyRequestsException   | it is Lambda.Unknown                          |

Sources: API reference, StartExecution; developer guide, "Handling errors in Step Functions workflows", "Passing data
between states with variables" and "Step Functions service quotas".
"""

import contextlib
import contextvars
import json
import random
import re
import threading
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from ministack.services import stepfunctions as sfn

MAX_PAYLOAD = 256 * 1024
_VARIABLE = re.compile(r"\$([A-Za-z_]\w*)")
# Not matched by States.ALL in Retry or Catch.
_UNMATCHED = {"States.Runtime", "States.DataLimitExceeded"}

# Of each open execution, by its ARN: set when it is to end early. A Map's children have their parent's.
_stops: dict[str, threading.Event] = {}
_stop: ContextVar[threading.Event] = ContextVar("stop")

_start_execution, _stop_execution, _run_execution = sfn._start_execution, sfn._stop_execution, sfn._run_execution
_fail_execution, _invoke_resource = sfn._fail_execution, sfn._invoke_resource
_find_matching_retrier, _resolve_params_obj = sfn._find_matching_retrier, sfn._resolve_params_obj
_apply_catcher, _call_lambda, _eval_intrinsic_arg = sfn._apply_catcher, sfn._call_lambda, sfn._eval_intrinsic_arg


class StoppedError(BaseException):
    """Ends the thread of an execution that was aborted or timed out; neither Retry nor Catch sees it."""


def apply() -> None:
    """Put these bridges in place."""
    sfn._start_execution = start
    sfn._stop_execution = stop
    sfn._run_execution = run
    sfn._fail_execution = fail
    sfn._scaled_sleep = sleep
    sfn._find_matching_retrier = next_retry
    sfn._error_matches = matches
    sfn._invoke_resource = invoke
    sfn._resolve_params_obj = fill_template
    sfn._apply_catcher = catch
    sfn._call_lambda = call_function
    sfn._eval_intrinsic_arg = intrinsic_argument
    for name in ("_execute_pass", "_execute_task", "_execute_choice", "_execute_wait"):
        setattr(sfn, name, _unless_stopped(getattr(sfn, name)))


def stopped() -> threading.Event:
    """The event that ends the execution of this thread early."""
    return _stop.get(threading.Event())


def start(data: dict[str, Any]) -> Any:
    """StartExecution."""
    machine = sfn._resolve_state_machine_arn(data.get("stateMachineArn", ""))
    if machine is not None:
        arn = f"{machine.replace(':stateMachine:', ':execution:')}:{data.get('name')}"
        running = sfn._executions.get(arn)
        if running and running["status"] == "RUNNING" and running["input"] == data.get("input", "{}"):
            return sfn.json_response({"executionArn": arn, "startDate": running["startDate"]})
    return _start_execution(data)


def stop(data: dict[str, Any]) -> Any:
    """StopExecution."""
    answer = _stop_execution(data)
    if event := _stops.get(data.get("executionArn", "")):
        event.set()
    return answer


def run(arn: str) -> None:
    """Run an execution to its end, or until its time is over."""
    execution = sfn._executions.get(arn)
    if execution is None:
        return
    event = _stops[arn] = threading.Event()
    _stop.set(event)
    if execution["status"] != "RUNNING":  # it was stopped before its thread began
        event.set()
    seconds = _timeout_of(execution)
    # In this thread's context, where ministack keeps account and region.
    timer = threading.Timer(seconds, contextvars.copy_context().run, (time_out, execution, event))
    timer.daemon = True
    if seconds:
        timer.start()
    try:
        with contextlib.suppress(StoppedError):
            _run_execution(arn)
    finally:
        timer.cancel()
        _stops.pop(arn, None)


def time_out(execution: dict[str, Any], event: threading.Event) -> None:
    """End an execution whose TimeoutSeconds are over, as far as it still runs."""
    if execution["status"] != "RUNNING":
        return
    execution.update(status="TIMED_OUT", stopDate=sfn.now_iso(), error="States.Timeout")
    sfn._add_event(execution, "ExecutionTimedOut", {"executionTimedOutEventDetails": {"error": "States.Timeout"}})
    event.set()
    sfn._emit_execution_status_event(execution)


def fail(execution: dict[str, Any], error: str, cause: str) -> None:
    """Fail an execution that still runs."""
    if execution["status"] == "RUNNING":
        _fail_execution(execution, error, cause)


def sleep(seconds: float) -> None:
    """Wait, unless the execution ends before."""
    if seconds > 0 and stopped().wait(seconds * sfn._SFN_WAIT_SCALE):
        raise StoppedError


def next_retry(retriers: list[dict[str, Any]], error: str, counts: dict[int, int]) -> tuple[dict[str, Any] | None, int]:
    """Find the retrier of an error, and wait as it says; what it returns makes ministack wait no more."""
    retrier, index = _find_matching_retrier(retriers, error, counts)
    if retrier is None:
        return None, index
    delay = retrier.get("IntervalSeconds", 1) * retrier.get("BackoffRate", 2.0) ** counts.get(index, 0)
    delay = min(delay, retrier.get("MaxDelaySeconds", delay))
    if retrier.get("JitterStrategy") == "FULL":
        delay = random.uniform(0, delay)
    sleep(delay)
    return {**retrier, "IntervalSeconds": 0}, index


def matches(error_equals: list[str], error: str) -> bool:
    """Whether an ErrorEquals list matches an error."""
    if error in error_equals:
        return True
    if error in _UNMATCHED:
        return False
    return "States.ALL" in error_equals or ("States.TaskFailed" in error_equals and error != "States.Timeout")


def invoke(resource: str, payload: Any) -> Any:
    """Run a task, within the limits of what a state takes and gives."""
    _check_size(resource, "was called with a payload", payload)
    result = _invoke_resource(resource, payload)
    _check_size(resource, "returned a result", result)
    return result


def catch(catcher: dict[str, Any], raw_input: Any, ctx: dict[str, Any], query_language: str, error: Any) -> Any:
    """What a caught error makes of the state's input; the catcher's Assign sets variables."""
    if query_language != "JSONata":
        ctx.setdefault("variables", {}).update(fill_template(catcher.get("Assign", {}), error, ctx))
    return _apply_catcher(catcher, raw_input, ctx, query_language, error)


def fill_template(template: Any, data: Any, ctx: dict[str, Any] | None = None) -> Any:
    """Fill in a payload template (Parameters, ItemSelector, ResultSelector …), whose paths must find something."""
    if not isinstance(template, dict):
        return _resolve_params_obj(template, data, ctx)
    context = ctx or {}
    variables: dict[str, Any] = {}
    for name, value in template.items():
        if not name.endswith(".$") or not isinstance(value, str) or not value.startswith("$"):
            continue
        source, path = (context, value[1:]) if value.startswith("$$.") else (data, value)
        if variable := _VARIABLE.fullmatch(value):
            source, path = context.get("variables", {}), f"$.{variable[1]}"
            variables[name.removesuffix(".$")] = source.get(variable[1])
        if not _finds(path, source):
            text = f"The JSONPath '{value}' specified for the field '{name}' could not be found in the input"
            raise sfn._ExecutionError("States.Runtime", text)
    return _resolve_params_obj(template, data, ctx) | variables


def intrinsic_argument(argument: tuple[str, Any], data: Any, ctx: dict[str, Any] | None) -> Any:
    """The value of an intrinsic function's argument, which may be a variable."""
    if argument[0] == "path" and (variable := _VARIABLE.fullmatch(argument[1])):
        return (ctx or {})["variables"][variable[1]]
    return _eval_intrinsic_arg(argument, data, ctx)


def call_function(reference: str, event: Any) -> Any:
    """Call a Lambda function, which may be throttled."""
    try:
        return _call_lambda(reference, event)
    except sfn._ExecutionError as error:
        if "TooManyRequestsException" not in error.cause:
            raise
        raise sfn._ExecutionError("Lambda.TooManyRequestsException", error.cause) from error


def _finds(path: str, data: Any) -> bool:
    for kind, value in sfn._parse_jsonpath_tokens(path) or []:
        if kind == "wildcard":
            return True
        if kind == "field" and not (isinstance(data, dict) and value in data):
            return False
        if kind == "index" and not (isinstance(data, list) and value < len(data)):
            return False
        data = data[value]
    return True


def _check_size(resource: str, did: str, payload: Any) -> None:
    if len(json.dumps(payload).encode()) > MAX_PAYLOAD:
        text = f"The state/task '{resource}' {did} with a size exceeding the maximum number of bytes service limit."
        raise sfn._ExecutionError("States.DataLimitExceeded", text)


def _timeout_of(execution: dict[str, Any]) -> int:
    machine = sfn._state_machines.get(execution["stateMachineArn"])
    with contextlib.suppress(ValueError, TypeError):
        return int(json.loads(machine["definition"]).get("TimeoutSeconds") or 0)
    return 0


def _unless_stopped(execute: Callable[..., Any]) -> Callable[..., Any]:
    def checked(*arguments: Any) -> Any:
        if stopped().is_set():
            raise StoppedError
        return execute(*arguments)

    return checked
