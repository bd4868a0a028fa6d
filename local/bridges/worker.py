"""One execution environment of a Lambda function: a process that imports the handler and then runs invocations.

A script, started by `functions.ExecutionEnvironment` with a plain interpreter; it may import nothing but the standard
library, so that a function finds only what its own package, its layers and Lambda's runtime bring along.

Protocol, a JSON object a line: in comes the start (`task_root`, `layers`, `runtime`, `handler`, …), then invocations;
out go `{"ready": true}` or `{"error": …}`, then `{"result": …}` or `{"error": …}` for each invocation. What the handler
prints goes to stderr, where a line with the request id says that its log is complete.
"""

import importlib
import json
import os
import sys
import time
import traceback
from types import SimpleNamespace
from typing import Any, TextIO


def describe(error: BaseException, request_id: str = "") -> dict[str, Any]:
    """The error object of Lambda's Python runtime: the exception's class name is its `errorType`."""
    frames = traceback.extract_tb(error.__traceback__)[1:]
    described = {
        "errorMessage": str(error),
        "errorType": type(error).__name__,
        "requestId": request_id,
        "stackTrace": traceback.format_list(frames),
    }
    if not request_id:
        del described["requestId"]
    return described


def send(channel: TextIO, message: dict[str, Any]) -> None:
    channel.write(json.dumps(message) + "\n")
    channel.flush()


def load_handler(start: dict[str, Any]) -> Any:
    """Import the handler as the runtime does: the function first, then the layers, then the runtime's packages."""
    layers = [os.path.join(layer, "python") for layer in start["layers"]]
    standard = [path for path in sys.path[1:] if "site-packages" not in path]
    sys.path[:] = [start["task_root"], *layers, *standard, start["runtime"]]
    module_name, _, function_name = start["handler"].rpartition(".")
    return getattr(importlib.import_module(module_name.replace("/", ".")), function_name)


def context(start: dict[str, Any], invocation: dict[str, Any]) -> SimpleNamespace:
    """The context object of Lambda's Python runtime."""
    deadline = time.monotonic() + start["timeout"]
    return SimpleNamespace(
        aws_request_id=invocation["request_id"],
        invoked_function_arn=invocation["function_arn"],
        function_name=start["function_name"],
        function_version=start["version"],
        memory_limit_in_mb=str(start["memory"]),
        log_group_name=f"/aws/lambda/{start['function_name']}",
        log_stream_name=os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME", ""),
        identity=None,
        client_context=None,
        get_remaining_time_in_millis=lambda: max(0, int((deadline - time.monotonic()) * 1000)),
    )


def run() -> None:
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    start = json.loads(sys.stdin.readline())
    try:
        handler = load_handler(start)
    except ImportError as error:
        message = f"Unable to import module '{start['handler'].rpartition('.')[0]}': {error}"
        send(channel, {"error": {"errorMessage": message, "errorType": "Runtime.ImportModuleError", "stackTrace": []}})
        return
    except Exception as error:  # noqa: BLE001 - whatever the module raises is the function's init error
        send(channel, {"error": describe(error)})
        return
    send(channel, {"ready": True})
    for line in sys.stdin:
        invocation = json.loads(line)
        request_id = invocation["request_id"]
        os.environ["_X_AMZN_TRACE_ID"] = invocation.get("trace_id") or ""
        try:
            result = handler(invocation["event"], context(start, invocation))
            answer = json.dumps({"result": result})
        except Exception as error:  # noqa: BLE001 - whatever the handler raises is the invocation's error
            described = describe(error, request_id)
            print(
                f"[ERROR] {described['errorType']}: {described['errorMessage']}",
                *described["stackTrace"],
                file=sys.stderr,
            )
            answer = json.dumps({"error": described})
        sys.stdout.flush()
        print(f"\x1e{request_id}", file=sys.stderr, flush=True)
        channel.write(answer + "\n")
        channel.flush()


if __name__ == "__main__":
    run()
