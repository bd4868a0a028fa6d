"""Bridges of Lambda: how a function runs, and how its failures are reported.

| on AWS                                                    | ministack 1.5.33                                    |
|-----------------------------------------------------------|-----------------------------------------------------|
| a failed handler's errorType is the exception's class     | `Runtime.HandlerError`, whatever was raised         |
| the environment outlives a failed handler                 | it is killed, and the next call is a cold start     |
| a crash is `Runtime.ExitError`                            | `Runtime.HandlerError`                              |
| a function sees its package, its layers, Lambda's runtime | it also sees every package of the emulator's venv   |
| event and result may have 6 MB each                       | no limit                                            |
| the log of a call is complete when it returns             | what comes within 5 to 50 ms, each call waits so long |
| an idle environment ends after some time                  | after 300 s from its last start, busy or not          |

Sources: Lambda developer guide, "Lambda quotas" (invocation payload: 6 MB each for request and response, synchronous),
"Using Lambda with Python: errors"; for time-outs and crashes, the errorType that Lambda puts in the payload.
"""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

from local.bridges.environments import MAX_PAYLOAD, ExecutionEnvironment
from local.bridges.packages import prune

# As many environments of a function may be idle. (After IDLE_SECONDS, ministack ends all idle ones but the first.)
MAX_IDLE = 40
IDLE_SECONDS = 60

_invoke = lambda_svc._invoke


def apply() -> None:
    """Put these bridges in place."""
    prune()
    lambda_runtime._LOCAL_WORKER_TTL = IDLE_SECONDS
    lambda_runtime._worker_class_for = lambda _config: ExecutionEnvironment
    lambda_svc._execute_function_warm = execute
    lambda_svc._invoke = invoke


async def invoke(name: str, event: Any, *arguments: Any, **options: Any) -> Any:
    """The API's Invoke, which refuses an event that is too large."""
    if (size := len(json.dumps(event))) > MAX_PAYLOAD:
        text = f"{size} byte payload is too large for the Invoke operation (limit {MAX_PAYLOAD} bytes)"
        return lambda_svc.error_response_json("RequestEntityTooLargeException", text, 413)
    return await _invoke(name, event, *arguments, **options)


def execute(func: dict[str, Any], event: Any, request_id: str) -> dict[str, Any]:
    """Run one invocation in a free execution environment, or in a new one."""
    config = func.get("config") or func
    lambda_svc._ensure_reaper_thread()
    environment, _ = lambda_runtime.acquire_worker(
        config["FunctionName"], config, func["code_zip"], qualifier=config.get("Version", "$LATEST")
    )
    try:
        result: dict[str, Any] = environment.invoke(
            event,
            request_id,
            trace_id=lambda_svc._xray_trace_id_for_invocation(config),
            invoked_function_arn=config.get("FunctionArn", ""),
        )
        if result["log"]:
            print(result["log"], flush=True)  # the emulator's log shows the functions' too
        return result
    finally:
        release(environment)


def release(environment: ExecutionEnvironment) -> None:
    """Give an execution environment back, and end those of its function that are idle above MAX_IDLE."""
    with lambda_runtime._lock:
        environment.in_use, environment.last_used = False, time.time()
        surplus = []
        for environments in lambda_runtime._workers.values():
            if environment in environments:
                surplus = [one for one in environments if not one.in_use][MAX_IDLE:]
                environments[:] = [one for one in environments if one not in surplus]
    lambda_runtime.kill_workers(surplus)


def warm(function_name: str, count: int) -> None:
    """Start execution environments of a function until there are `count`, without invoking it."""
    func, config, _ = lambda_svc._get_func_record_for_ref(function_name)
    if not func or not config:
        raise LookupError(f"no function named {function_name}")
    leased = [lambda_runtime.acquire_worker(config["FunctionName"], config, func["code_zip"])[0] for _ in range(count)]
    with ThreadPoolExecutor(count) as pool:
        list(pool.map(lambda_runtime.ensure_spawned, leased))
    for environment in leased:
        release(environment)


def crash(function_name: str) -> int:
    """Kill the execution environments of a function that are at work; returns how many."""
    at_work = [
        environment._proc
        for environments in lambda_runtime._workers.values()
        for environment in environments
        if environment.in_use and environment.config["FunctionName"] == function_name and environment._proc
    ]
    for process in at_work:
        process.kill()
    return len(at_work)
