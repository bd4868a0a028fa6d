"""The execution environments of Lambda functions: processes that run a handler, one invocation at a time.

All environments of a function are forked from one process that has imported the handler. On AWS each imports it by
itself; with forty of them on two processors, that would be most of what a test measures.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from multiprocessing.reduction import send_handle
from pathlib import Path
from typing import Any, BinaryIO

import psutil
from ministack.core import lambda_runtime
from ministack.services import lambda_svc

from local.bridges.packages import runtime_packages, unpacked

WORKER = Path(__file__).with_name("worker.py")
MAX_PAYLOAD = 6 * 1024 * 1024
# Lambda itself allows an init ten seconds; a busy machine that compiles a layer for the first time may need more.
INIT_TIMEOUT = 90
_EXITED = "Error: Runtime exited without providing a reason"


class InitError(Exception):
    """The handler could not be imported; `described` is Lambda's error object."""

    def __init__(self, described: dict[str, Any]) -> None:
        super().__init__(described["errorMessage"])
        self.described = described


class Environment(psutil.Process):  # type: ignore[misc]
    """A forked process, with as much of `subprocess.Popen` as ministack uses when it ends its workers."""

    def __init__(self, pid: int, channel: "Connection[Any, Any]", log: BinaryIO) -> None:
        super().__init__(pid)
        self.channel = channel
        self._log = log

    def poll(self) -> int | None:
        """None while the process runs: while it keeps its end of the channel open."""
        return 0 if self.channel.poll() else None

    def kill(self) -> None:
        """End the process."""
        with contextlib.suppress(psutil.NoSuchProcess):
            super().kill()

    def take_log(self) -> str:
        """What the process printed since the last time. Its position in the file is this one's too."""
        self._log.seek(0)
        text = self._log.read().decode(errors="replace")
        self._log.seek(0)
        self._log.truncate()
        return text.rstrip("\n")


class Template:
    """The process that has imported a function's handler, and forks its execution environments."""

    _all: dict[str, "Template"] = {}  # noqa: RUF012 - the one registry
    _making = threading.Lock()

    def __init__(self, config: dict[str, Any], code_zip: bytes, revision: str) -> None:
        self.revision = revision
        layers = [found for layer in config.get("Layers", []) if (found := lambda_svc._resolve_layer_zip(layer))]
        task_root = unpacked(code_zip)
        self._lock = threading.Lock()
        self._channel, theirs = Pipe()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-S", "-E", "-u", str(WORKER), str(theirs.fileno())],
                cwd=task_root,
                env=_environment(config, task_root),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )
        where = [str(task_root), *(str(unpacked(layer) / "python") for layer in layers)]
        # The service's functions have layers; a test's function has none, and most have no use for boto3.
        self._channel.send({**config, "path": where, "runtime": str(runtime_packages()), "preload": bool(layers)})
        if described := self._init_problem():
            self.close()
            raise InitError(described)

    @classmethod
    def of(cls, config: dict[str, Any], code_zip: bytes) -> "Template":
        """The template of a function as it is configured now; raises `InitError`."""
        configured = {name: value for name, value in config.items() if name not in ("State", "LastUpdateStatus")}
        revision = json.dumps(configured, sort_keys=True, default=str)
        with cls._making:
            if (found := cls._all.get(config["FunctionArn"])) is None or found.revision != revision:
                if found is not None:
                    found.close()
                found = cls._all[config["FunctionArn"]] = cls(config, code_zip, revision)
            return found

    def fork(self) -> Environment:
        """Fork an execution environment."""
        ours, theirs = Pipe()
        log = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - open as long as the environment is
        with self._lock, theirs:
            self._channel.send({"AWS_LAMBDA_LOG_STREAM_NAME": lambda_svc.new_uuid()})
            for file in (theirs, log):
                send_handle(self._channel, file.fileno(), self._process.pid)
            return Environment(self._channel.recv(), ours, log)

    def close(self) -> None:
        """End the template; the environments that it forked go on until they are ended themselves."""
        self._channel.close()
        self._process.kill()
        self._process.wait(timeout=5)

    def _init_problem(self) -> dict[str, Any] | None:
        if not self._channel.poll(INIT_TIMEOUT):
            return error_object("Sandbox.Timedout", f"Init timed out after {INIT_TIMEOUT} seconds")
        try:
            described: dict[str, Any] | None = self._channel.recv()
        except EOFError:
            return error_object("Runtime.ExitError", _EXITED)
        return described


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
        invocation = {"request_id": request_id, "trace_id": trace_id, "function_arn": invoked_function_arn}
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
                process.channel.send(invocation | {"event": event})
                if process.channel.poll(timeout):
                    return _result(process.channel.recv(), process.take_log())
                described = (
                    "Sandbox.Timedout",
                    f"RequestId: {request_id} Error: Task timed out after {timeout:.2f} seconds",
                )
            except (EOFError, OSError):  # the process ended
                described = ("Runtime.ExitError", f"RequestId: {request_id} {_EXITED}")
            process.kill()
            self._proc = None
        return failure(error_object(*described), process.take_log())


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
