"""The execution environments of Lambda functions: processes that run a handler, one invocation at a time.

All environments of a function are forked from one process that has imported the handler. On AWS each imports it by
itself; with forty of them on two processors, that would be most of what a test measures.
"""

import contextlib
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

from local.bridges.packages import runtime_packages, unpacked

WORKER = Path(__file__).with_name("worker.py")
MAX_PAYLOAD = 6 * 1024 * 1024
# Lambda itself allows an init ten seconds; a busy machine that compiles a layer for the first time may need more.
INIT_TIMEOUT = 90
# A log ends with the call, but on a busy machine what was printed last may come later.
_LOG_TIMEOUT = 10


class InitError(Exception):
    """The handler could not be imported; `described` is Lambda's error object."""

    def __init__(self, described: dict[str, Any]) -> None:
        super().__init__(described["errorMessage"])
        self.described = described


class Template:
    """The process that has imported a function's handler, and forks its execution environments."""

    _all: dict[str, "Template"] = {}  # noqa: RUF012 - the one registry
    _making = threading.Lock()

    def __init__(self, config: dict[str, Any], code_zip: bytes) -> None:
        layers = [found for layer in config.get("Layers", []) if (found := lambda_svc._resolve_layer_zip(layer))]
        task_root = unpacked(code_zip)
        start = {
            "task_root": str(task_root),
            "layers": [str(unpacked(layer)) for layer in layers],
            "runtime": str(runtime_packages()),
            "handler": config["Handler"],
            # The service's functions have layers; a test's function has none, and most have no use for boto3.
            "preload": bool(layers),
            "timeout": config.get("Timeout", 3),
            "function_name": config["FunctionName"],
            "version": config.get("Version", "$LATEST"),
            "memory": config.get("MemorySize", 128),
        }
        self._lock = threading.Lock()
        self._requests, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-S", "-E", str(WORKER), str(theirs.fileno())],
                cwd=task_root,
                env=_environment(config, task_root),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        self._await_init(json.dumps(start))

    @classmethod
    def of(cls, config: dict[str, Any], code_zip: bytes) -> "Template":
        """The template of a function as it is configured now; raises `InitError`."""
        revision = {name: value for name, value in config.items() if name not in ("State", "LastUpdateStatus")}
        key = json.dumps(revision, sort_keys=True, default=str)
        with cls._making:
            if (found := cls._all.get(config["FunctionArn"])) is None or found.key != key:
                if found is not None:
                    found.close()
                found = cls._all[config["FunctionArn"]] = cls(config, code_zip)
                found.key = key
            return found

    key = ""

    def fork(self) -> "Environment":
        """Fork an execution environment."""
        stdin, stdout, stderr = os.pipe(), os.pipe(), os.pipe()
        theirs = [stdin[0], stdout[1], stderr[1]]
        message = json.dumps({"AWS_LAMBDA_LOG_STREAM_NAME": lambda_svc.new_uuid()})
        with self._lock:
            socket.send_fds(self._requests, [message.encode()], theirs)
            pid = int(self._requests.recv(64))
        for file in theirs:
            os.close(file)
        return Environment(pid, os.fdopen(stdin[1], "w"), os.fdopen(stdout[0]), os.fdopen(stderr[0]))

    def close(self) -> None:
        """End the template; the environments that it forked go on until they are ended themselves."""
        self._requests.close()
        self._process.kill()
        self._process.wait(timeout=5)

    def _await_init(self, start: str) -> None:
        assert self._process.stdin is not None
        lines: queue.Queue[str | None] = queue.Queue()
        _follow(self._process.stdout, lines)
        self._process.stdin.write(start + "\n")
        self._process.stdin.flush()
        deadline = time.monotonic() + INIT_TIMEOUT
        described = error_object("Sandbox.Timedout", f"Init timed out after {INIT_TIMEOUT} seconds")
        while (left := deadline - time.monotonic()) > 0:
            try:
                line = lines.get(timeout=left)
            except queue.Empty:
                break
            if line is None:
                described = error_object("Runtime.ExitError", "Error: Runtime exited without providing a reason")
                break
            if line == '{"ready": true}':
                return
            if line.startswith('{"error": '):
                described = json.loads(line)["error"]
                break
        self.close()
        raise InitError(described)


class Environment:
    """A forked process, with as much of `subprocess.Popen` as ministack uses when it ends its workers."""

    def __init__(self, pid: int, stdin: IO[str], stdout: IO[str], stderr: IO[str]) -> None:
        self.pid = pid
        self._stdin = stdin
        self.answers: queue.Queue[str | None] = queue.Queue()
        self.log: queue.Queue[str | None] = queue.Queue()
        self._reader = _follow(stdout, self.answers)
        _follow(stderr, self.log)

    def send(self, message: dict[str, Any]) -> None:
        """Send an invocation; raises OSError when the process has ended."""
        self._stdin.write(json.dumps(message) + "\n")
        self._stdin.flush()

    def poll(self) -> int | None:
        """None while the process runs: while it keeps its end of the pipe open."""
        return None if self._reader.is_alive() else 0

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the process's end."""
        self._reader.join(timeout)
        return 0

    def kill(self) -> None:
        """End the process."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    terminate = kill


class ExecutionEnvironment(lambda_runtime.Worker):  # type: ignore[misc]
    """What ministack calls a worker: runs one function until it crashes, times out or is not needed any more."""

    _proc: Environment | None

    def _spawn(self) -> None:
        self._proc = Template.of(self.config, self.code_zip).fork()

    def invoke(
        self,
        event: Any,
        request_id: str,
        *,
        trace_id: str | None = None,
        invoked_function_arn: str | None = None,
        **_: Any,
    ) -> dict[str, Any]:
        """Run one invocation: `{"body", "log"}`, with `"error": True` and Lambda's error object as body on failure."""
        timeout = self.config.get("Timeout", 3)
        with self._lock:
            try:
                if self._proc is None or self._proc.poll() is not None:
                    self._spawn()
            except InitError as error:
                return failure(error.described)
            process = self._proc
            assert process is not None
            try:
                process.send(
                    {
                        "event": event,
                        "request_id": request_id,
                        "trace_id": trace_id,
                        "function_arn": invoked_function_arn,
                    }
                )
                line = process.answers.get(timeout=timeout)
            except queue.Empty:
                text = f"RequestId: {request_id} Error: Task timed out after {timeout:.2f} seconds"
                return self._ended(process, error_object("Sandbox.Timedout", text))
            except OSError:  # the process ended before it could read the event
                line = None
            if line is None:
                text = f"RequestId: {request_id} Error: Runtime exited without providing a reason"
                return self._ended(process, error_object("Runtime.ExitError", text))
        return _result(line, _drain(process.log, until=f"\x1e{request_id}"))

    def _ended(self, process: Environment, described: dict[str, Any]) -> dict[str, Any]:
        process.kill()
        self._proc = None
        return failure(described, _drain(process.log, until=None))


def error_object(error_type: str, message: str) -> dict[str, Any]:
    """Lambda's error object."""
    return {"errorMessage": message, "errorType": error_type}


def failure(described: dict[str, Any], log: str = "") -> dict[str, Any]:
    """A failed invocation, as ministack's executors report it."""
    return {"body": described, "error": True, "log": log}


def _result(line: str, log: str) -> dict[str, Any]:
    answer = json.loads(line)
    if "error" in answer:
        return failure(answer["error"], log)
    if len(line) > MAX_PAYLOAD:
        text = f"Response payload size exceeded maximum allowed payload size ({MAX_PAYLOAD} bytes)."
        return failure(error_object("Function.ResponseSizeTooLarge", text), log)
    return {"body": answer["result"], "log": log}


def _environment(config: dict[str, Any], task_root: Path) -> dict[str, str]:
    """A function's variables and those that Lambda sets, nothing of the emulator's own."""
    _, region = lambda_runtime._account_region_from_function_config(config)
    variables = (config.get("Environment") or {}).get("Variables") or {}
    reserved = lambda_runtime._RESERVED_RUNTIME_ENV_VARS
    return {
        **{name: os.environ[name] for name in ("PATH", "TMPDIR", "LANG", "SSL_CERT_FILE") if name in os.environ},
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}",
        **{name: value for name, value in variables.items() if name not in reserved},
        **{name: value for name, value in lambda_runtime.execution_credentials(config).items() if value},
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{config['Runtime']}",
        "AWS_LAMBDA_FUNCTION_NAME": config["FunctionName"],
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(config.get("MemorySize", 128)),
        "AWS_LAMBDA_FUNCTION_VERSION": config.get("Version", "$LATEST"),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "LAMBDA_TASK_ROOT": str(task_root),
        "_HANDLER": config["Handler"],
        "TZ": ":UTC",
    }


def _follow(stream: IO[str] | None, lines: "queue.Queue[str | None]") -> threading.Thread:
    """Put each line of a process's output into a queue, and None at its end."""

    def run() -> None:
        with stream or open(os.devnull) as opened:
            for line in opened:
                lines.put(line.rstrip("\n"))
        lines.put(None)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def _drain(log: "queue.Queue[str | None]", until: str | None) -> str:
    """The log up to the line `until`, or to the process's end."""
    lines: list[str] = []
    deadline = time.monotonic() + _LOG_TIMEOUT
    while (left := deadline - time.monotonic()) > 0:
        try:
            line = log.get(timeout=left)
        except queue.Empty:
            break
        if line is None or line == until:
            break
        lines.append(line)
    return "\n".join(lines)
