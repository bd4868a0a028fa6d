"""Bridges of Lambda: how a function runs, and how its failures are reported.

| on AWS                                                    | ministack 1.5.33                                    |
|-----------------------------------------------------------|-----------------------------------------------------|
| a failed handler's errorType is the exception's class     | `Runtime.HandlerError`, whatever was raised         |
| the environment outlives a failed handler                 | it is killed, and the next call is a cold start     |
| a crash is `Runtime.ExitError`                            | `Runtime.HandlerError`                              |
| a function sees its package, its layers, Lambda's runtime | it also sees every package of the emulator's venv   |
| event and result may have 6 MB each                       | no limit                                            |
| the log of a call is complete when it returns             | what comes within 5 to 50 ms, each call waits so long |

Sources: Lambda developer guide, "Lambda quotas" (invocation payload: 6 MB each for request and response, synchronous),
"Using Lambda with Python: errors"; for time-outs and crashes, the errorType that Lambda puts in the payload.
"""

import hashlib
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from functools import lru_cache
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import IO, Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

WORKER = Path(__file__).with_name("worker.py")
MAX_PAYLOAD = 6 * 1024 * 1024
# Lambda itself allows an init ten seconds; a busy machine that compiles a layer for the first time may need more.
INIT_TIMEOUT = 90
# What Lambda's Python runtime brings along (Lambda developer guide, "Runtime-included SDK versions").
_RUNTIME_PACKAGES = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3")
_unpacking = threading.Lock()

_invoke = lambda_svc._invoke


def apply() -> None:
    """Put these bridges in place."""
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
        return result
    finally:
        lambda_runtime.release_worker(environment)


def warm(function_name: str, count: int) -> None:
    """Start execution environments of a function until there are `count`, without invoking it."""
    func, config, _ = lambda_svc._get_func_record_for_ref(function_name)
    if not func or not config:
        raise LookupError(f"no function named {function_name}")
    leased = [lambda_runtime.acquire_worker(config["FunctionName"], config, func["code_zip"])[0] for _ in range(count)]
    threads = [threading.Thread(target=lambda_runtime.ensure_spawned, args=(one,)) for one in leased]
    for thread in threads:
        thread.start()
    for thread, environment in zip(threads, leased, strict=True):
        thread.join()
        lambda_runtime.release_worker(environment)


class _InitError(Exception):
    def __init__(self, described: dict[str, Any]) -> None:
        super().__init__(described["errorMessage"])
        self.described = described


class ExecutionEnvironment(lambda_runtime.Worker):  # type: ignore[misc]
    """A process that runs one function, one invocation at a time, until it crashes, times out or is not needed."""

    _proc: Any
    _answers: "queue.Queue[dict[str, Any] | None]"
    _log: "queue.Queue[str | None]"

    def _spawn(self) -> None:
        """Start the process and wait until the handler is imported; raises `_InitError`."""
        config = self.config
        task_root, layers = unpacked(self.code_zip), [unpacked(code) for code in self._layer_zips()]
        self._proc = subprocess.Popen(
            [sys.executable, "-S", "-E", str(WORKER)],
            cwd=task_root,
            env=self._environment(task_root),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._answers, self._log = queue.Queue(), queue.Queue()
        _follow(self._proc.stdout, self._answers, json.loads)
        _follow(self._proc.stderr, self._log, str)
        self._send(
            task_root=str(task_root),
            layers=[str(layer) for layer in layers],
            runtime=str(runtime_packages()),
            handler=config["Handler"],
            timeout=config.get("Timeout", 3),
            function_name=config["FunctionName"],
            version=config.get("Version", "$LATEST"),
            memory=config.get("MemorySize", 128),
        )
        try:
            answer = self._answers.get(timeout=INIT_TIMEOUT)
        except queue.Empty:
            answer = {"error": _described("Sandbox.Timedout", f"Init timed out after {INIT_TIMEOUT} seconds")}
        if answer is None or "error" in answer:
            described = answer["error"] if answer else self._exit_error("")
            log = self._drain(until=None)
            self._end()
            raise _InitError({**described, "log": log})

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
        with self._lock:
            try:
                if self._proc is None or self._proc.poll() is not None:
                    self._spawn()
                self._send(event=event, request_id=request_id, trace_id=trace_id, function_arn=invoked_function_arn)
                answer = self._answers.get(timeout=self.config.get("Timeout", 3))
            except _InitError as error:
                log = error.described.pop("log")
                return {"body": error.described, "error": True, "log": log}
            except queue.Empty:
                text = (
                    f"RequestId: {request_id} Error: Task timed out after {self.config.get('Timeout', 3):.2f} seconds"
                )
                self._end()
                return _failure("Sandbox.Timedout", text, log=self._drain(until=None))
            except OSError:  # the process ended before it could read the event
                answer = None
            if answer is None:
                described = self._exit_error(request_id)
                self._end()
                return {"body": described, "error": True, "log": self._drain(until=None)}
            log = self._drain(until=f"\x1e{request_id}")
            if "error" in answer:
                return {"body": answer["error"], "error": True, "log": log}
            if (size := len(json.dumps(answer["result"]))) > MAX_PAYLOAD:
                text = (
                    f"Response payload size ({size} bytes) exceeded maximum allowed payload size ({MAX_PAYLOAD} bytes)."
                )
                return _failure("Function.ResponseSizeTooLarge", text, log=log)
            return {"body": answer["result"], "log": log}

    def _send(self, **message: Any) -> None:
        self._proc.stdin.write(json.dumps(message) + "\n")
        self._proc.stdin.flush()

    def _end(self) -> None:
        process, self._proc = self._proc, None
        process.kill()
        process.wait(timeout=5)

    def _exit_error(self, request_id: str) -> dict[str, Any]:
        status = self._proc.wait(timeout=5)
        how = f"signal: {-status}" if status < 0 else f"exit status {status}"
        return _described("Runtime.ExitError", f"RequestId: {request_id} Error: Runtime exited with error: {how}")

    def _drain(self, until: str | None) -> str:
        """The log up to the line `until`, or to the process's end."""
        lines = []
        deadline = time.monotonic() + 2
        while (wait := deadline - time.monotonic()) > 0:
            try:
                line = self._log.get(timeout=wait)
            except queue.Empty:
                break
            if line is None or line == until:
                break
            lines.append(line)
        return "\n".join(lines)

    def _layer_zips(self) -> list[bytes]:
        return [found for layer in self.config.get("Layers", []) if (found := lambda_svc._resolve_layer_zip(layer))]

    def _environment(self, task_root: Path) -> dict[str, str]:
        """The process's variables: those of the function and those that Lambda sets, nothing of the emulator's own."""
        config = self.config
        _, region = lambda_runtime._account_region_from_function_config(config)
        variables = (config.get("Environment") or {}).get("Variables") or {}
        return {
            **{name: os.environ[name] for name in ("PATH", "TMPDIR", "LANG", "SSL_CERT_FILE") if name in os.environ},
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}",
            **{
                name: value
                for name, value in variables.items()
                if name not in lambda_runtime._RESERVED_RUNTIME_ENV_VARS
            },
            **{name: value for name, value in lambda_runtime.execution_credentials(config).items() if value},
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{config['Runtime']}",
            "AWS_LAMBDA_FUNCTION_NAME": config["FunctionName"],
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(config.get("MemorySize", 128)),
            "AWS_LAMBDA_FUNCTION_VERSION": config.get("Version", "$LATEST"),
            "AWS_LAMBDA_LOG_STREAM_NAME": lambda_svc.new_uuid(),
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "LAMBDA_TASK_ROOT": str(task_root),
            "_HANDLER": config["Handler"],
            "TZ": ":UTC",
        }


def _follow(stream: IO[str] | None, lines: "queue.Queue[Any]", parse: Any) -> None:
    """Put each line of a process's output into a queue, and None at its end."""

    def run() -> None:
        for line in stream or ():
            lines.put(parse(line.rstrip("\n")))
        lines.put(None)

    threading.Thread(target=run, daemon=True).start()


def unpacked(code_zip: bytes) -> Path:
    """Unpack a package once for all environments that run it, as they only read it.

    The folder outlives the emulator, so that Python compiles a layer's modules once and not at every start: it is
    named after the content, whatever the archive's own dates say.
    """
    with _unpacking, zipfile.ZipFile(BytesIO(code_zip)) as archive:
        listing = sorted((entry.filename, entry.CRC, entry.file_size) for entry in archive.infolist())
        folder = Path(os.environ["LOCAL_UNPACKED"]) / hashlib.sha256(json.dumps(listing).encode()).hexdigest()[:24]
        if not folder.is_dir():
            folder.parent.mkdir(parents=True, exist_ok=True)
            partial = Path(tempfile.mkdtemp(dir=folder.parent))
            archive.extractall(partial)
            try:
                partial.rename(folder)
            except OSError:  # another emulator was first
                shutil.rmtree(partial)
        folder.touch()
        return folder


@lru_cache
def runtime_packages() -> Path:
    """A folder with the packages of Lambda's own runtime, and no others."""
    folder = Path(tempfile.mkdtemp(prefix="lambda-runtime-"))
    for name in _RUNTIME_PACKAGES:
        spec = find_spec(name)
        if spec is None or spec.origin is None:
            raise ImportError(f"the embedded AWS needs the package {name}")
        origin = Path(spec.origin)
        source = origin.parent if origin.name == "__init__.py" else origin
        (folder / source.name).symlink_to(source)
    return folder


def _described(error_type: str, message: str) -> dict[str, Any]:
    return {"errorMessage": message, "errorType": error_type}


def _failure(error_type: str, message: str, log: str = "") -> dict[str, Any]:
    return {"body": _described(error_type, message), "error": True, "log": log}
