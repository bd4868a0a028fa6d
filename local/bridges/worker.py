"""The processes of one Lambda function: one that imports the handler, and those that it forks to run invocations.

Before it forks, the first also loads what the functions load at their first use of AWS or OpenAI: it is loaded once
then, and its memory is shared.

A script, started by `environments.Template` with a plain interpreter; it may import nothing but the standard library,
so that a function finds only what its own package, its layers and Lambda's runtime bring along.

Protocol: the script's argument is the number of a channel (`multiprocessing.connection`). The first process receives
the start (the function's configuration, with `path`, `runtime` and `preload`) and sends None, or Lambda's error object.
Then, for each message with variables, it takes two files, a channel of invocations and a log, forks a process, and
sends its pid. That process sends `{"result": …}` or `{"error": …}` as JSON for each invocation; all that it prints goes
to the log, which is complete when the answer comes.
"""

import contextlib
import gc
import importlib
import json
import os
import signal
import sys
import time
import traceback
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle
from types import SimpleNamespace
from typing import Any

PRELOADED_SERVICES = ("s3", "stepfunctions", "secretsmanager", "sqs")


def describe(error: BaseException) -> dict[str, Any]:
    """The error object of Lambda's Python runtime: the exception's class name is its `errorType`."""
    frames = traceback.extract_tb(error.__traceback__)[1:]
    return {
        "errorMessage": str(error),
        "errorType": type(error).__name__,
        "stackTrace": traceback.format_list(frames),
    }


def load_handler(start: dict[str, Any]) -> Any:
    """Import the handler as the runtime does: the function first, then the layers, then the runtime's packages."""
    standard = [path for path in sys.path[1:] if "site-packages" not in path]
    sys.path[:] = [*start["path"], *standard, start["runtime"]]
    module_name, _, function_name = start["Handler"].rpartition(".")
    return getattr(importlib.import_module(module_name.replace("/", ".")), function_name)


def preload() -> None:
    """Load what an invocation loads late: boto3 with the models of the services in use, and openai where it is."""
    boto3 = importlib.import_module("boto3")
    for service in PRELOADED_SERVICES:
        boto3.client(service)
    with contextlib.suppress(ModuleNotFoundError):
        importlib.import_module("openai")
    gc.collect()
    gc.freeze()  # the collector would write to every object, and so copy the memory that the processes share


def context(start: dict[str, Any], invocation: dict[str, Any]) -> SimpleNamespace:
    """The context object of Lambda's Python runtime."""
    deadline = time.monotonic() + start.get("Timeout", 3)
    return SimpleNamespace(
        aws_request_id=invocation["request_id"],
        invoked_function_arn=invocation["function_arn"],
        function_name=start["FunctionName"],
        function_version=start.get("Version", "$LATEST"),
        memory_limit_in_mb=str(start.get("MemorySize", 128)),
        log_group_name=f"/aws/lambda/{start['FunctionName']}",
        log_stream_name=os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME", ""),
        identity=None,
        client_context=None,
        get_remaining_time_in_millis=lambda: max(0, int((deadline - time.monotonic()) * 1000)),
    )


def run(handler: Any, start: dict[str, Any], invocations: "Connection[str, Any]") -> None:
    """Run invocations until their channel ends."""
    while True:
        try:
            invocation = invocations.recv()
        except EOFError:
            return
        os.environ["_X_AMZN_TRACE_ID"] = invocation["trace_id"] or ""
        try:
            answer = json.dumps({"result": handler(invocation["event"], context(start, invocation))})
        except Exception as error:  # noqa: BLE001 - whatever the handler raises is the invocation's error
            described = {**describe(error), "requestId": invocation["request_id"]}
            print(f"[ERROR] {described['errorType']}: {described['errorMessage']}", *described["stackTrace"])
            answer = json.dumps({"error": described})
        invocations.send(answer)


def fork(handler: Any, start: dict[str, Any], requests: "Connection[int, Any]") -> None:
    """Fork a process for each request, until their channel ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them here
    while True:
        try:
            variables = requests.recv()
        except EOFError:
            return
        invocations, log = Connection(recv_handle(requests)), recv_handle(requests)
        pid = os.fork()
        if pid == 0:
            try:
                requests.close()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for output in (1, 2):
                    os.dup2(log, output)
                os.environ.update(variables)
                run(handler, start, invocations)
            finally:
                os._exit(1)
        invocations.close()
        os.close(log)
        requests.send(pid)


def main() -> None:
    requests: Connection[Any, Any] = Connection(int(sys.argv[1]))
    start = requests.recv()
    problem = None
    try:
        handler = load_handler(start)
        if start["preload"]:
            preload()
    except ImportError as error:
        message = f"Unable to import module '{start['Handler'].rpartition('.')[0]}': {error}"
        problem = {"errorMessage": message, "errorType": "Runtime.ImportModuleError", "stackTrace": []}
    except Exception as error:  # noqa: BLE001 - whatever the module raises is the function's init error
        problem = describe(error)
    requests.send(problem)
    if problem is None:
        fork(handler, start, requests)


if __name__ == "__main__":
    main()
