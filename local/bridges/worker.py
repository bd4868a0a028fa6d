"""The processes of one Lambda function: one that imports the handler, and those that it forks to run invocations.

Before it forks, the first also loads what the functions load at their first use of AWS or OpenAI: it is loaded once
then, and its memory is shared.

A script, started by `environments.Template` with a plain interpreter; it may import nothing but the standard library,
so that a function finds only what its own package, its layers and Lambda's runtime bring along.

Protocol, a JSON object a line. The first process reads the start (`task_root`, `layers`, `runtime`, `handler`, …) from
stdin and writes `{"ready": true}` or `{"error": …}` to stdout. Then, for each message on the socket whose number is the
script's argument, it forks a process with the three files that come along as its stdin, stdout and stderr, and answers
with its pid. That process reads invocations and writes `{"result": …}` or `{"error": …}` for each. What a handler
prints goes to stderr, where a line with the request id says that its log is complete.
"""

import contextlib
import gc
import importlib
import json
import os
import signal
import socket
import sys
import time
import traceback
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
    layers = [os.path.join(layer, "python") for layer in start["layers"]]
    standard = [path for path in sys.path[1:] if "site-packages" not in path]
    sys.path[:] = [start["task_root"], *layers, *standard, start["runtime"]]
    module_name, _, function_name = start["handler"].rpartition(".")
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


def run(handler: Any, start: dict[str, Any]) -> None:
    """Run invocations until stdin ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in os.fdopen(0, encoding="utf-8"):
        invocation = json.loads(line)
        os.environ["_X_AMZN_TRACE_ID"] = invocation.get("trace_id") or ""
        try:
            answer = json.dumps({"result": handler(invocation["event"], context(start, invocation))})
        except Exception as error:  # noqa: BLE001 - whatever the handler raises is the invocation's error
            described = {**describe(error), "requestId": invocation["request_id"]}
            print(f"[ERROR] {described['errorType']}: {described['errorMessage']}", *described["stackTrace"])
            answer = json.dumps({"error": described})
        sys.stdout.flush()
        print(f"\x1e{invocation['request_id']}", file=sys.stderr, flush=True)
        answers.write(answer + "\n")
        answers.flush()


def fork(handler: Any, start: dict[str, Any], requests: socket.socket) -> None:
    """Fork a process for each message, until the socket ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them here
    while True:
        message, files, _, _ = socket.recv_fds(requests, 4096, 3)
        if not message:
            return
        pid = os.fork()
        if pid == 0:
            try:
                requests.close()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for number, file in enumerate(files):
                    os.dup2(file, number)
                    os.close(file)
                os.environ.update(json.loads(message))
                run(handler, start)
            finally:
                os._exit(1)
        for file in files:
            os.close(file)
        requests.sendall(f"{pid}\n".encode())


def main() -> None:
    start = json.loads(sys.stdin.readline())
    try:
        handler = load_handler(start)
        if start["preload"]:
            preload()
    except ImportError as error:
        message = f"Unable to import module '{start['handler'].rpartition('.')[0]}': {error}"
        loaded: dict[str, Any] = {
            "error": {"errorMessage": message, "errorType": "Runtime.ImportModuleError", "stackTrace": []}
        }
    except Exception as error:  # noqa: BLE001 - whatever the module raises is the function's init error
        loaded = {"error": describe(error)}
    else:
        loaded = {"ready": True}
    # What the module printed while it was imported may stand before it.
    print("\n" + json.dumps(loaded), flush=True)
    if "ready" in loaded:
        fork(handler, start, socket.socket(fileno=int(sys.argv[1])))


if __name__ == "__main__":
    main()
