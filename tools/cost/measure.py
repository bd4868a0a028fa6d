"""Measures what each way of editing takes: states counted from real executions, handlers run in this process.

The embedded AWS runs a job of each way first. Then each of the functions is called here with the event that it had
there, on the same records, with what it made before taken away.
"""

import base64
import json
import math
import os
import statistics
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import import_module
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import boto3
import httpx2
from PIL import Image

from bench.fallback import photograph
from imagejobs.storage import Bucket
from local.deployment import ROOT
from local.stack import EmbeddedStack, Options, Ports, StackInfo
from standins.openai import OpenAIStandIn
from standins.openai_answers import edited
from standins.receiver import Receiver
from tools.cost import history
from tools.cost.model import Invocation, Job, Measured, Way

PICTURE_BYTES = 2_000_000
# 3:2, as cameras make them.
_SIDES = (3000, 2000)
_ANSWER = (1536, 1024)
_BATCH_IMAGES = 20
_RUNS = 5
_DEADLINE_SECONDS = 120
_READS = {"GetObject", "HeadObject", "HeadBucket"}
_ROUTES: dict[Way, str] = {
    "base64": "/process-image-async-b64",
    "url": "/process-image-async",
    "batch": "/batch-process-images",
}


def run() -> Measured:
    """Start a stack, measure each way on it, and stop it."""
    photo, pixels = _photo()
    answer = _encoded(photograph(*_ANSWER), "PNG")
    with (
        tempfile.TemporaryDirectory(prefix="cost-") as folder,
        Receiver() as receiver,
        OpenAIStandIn(latency=0) as openai,
        EmbeddedStack(_options(Path(folder), openai)) as stack,
        _counted_requests() as requests,
    ):
        openai.will_answer(edited(answer))
        bench = _Bench(stack.info, receiver, openai, photo, requests)
        jobs: dict[Way, Job] = {way: bench.job(way) for way in _ROUTES}
    return Measured(
        on=f"{datetime.now(UTC):%Y-%m-%d}",
        picture_bytes=len(photo),
        picture_pixels=pixels,
        answer_bytes=len(answer),
        jobs=jobs,
    )


def _options(folder: Path, openai: OpenAIStandIn) -> Options:
    return Options(
        ports=Ports.free(),
        state_dir=folder / "stack",
        openai_base_url=openai.base_url,
        openai_api_key="sk-cost",
        with_receiver=False,
    )


def _photo() -> tuple[bytes, int]:
    """A photograph-like JPEG of about PICTURE_BYTES, and its pixels."""
    factor = math.sqrt(PICTURE_BYTES / len(_encoded(photograph(*_SIDES), "JPEG")))
    width, height = (round(side * factor) for side in _SIDES)
    return _encoded(photograph(width, height), "JPEG"), width * height


def _encoded(picture: Image.Image, kind: str) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, kind, quality=92)
    return buffer.getvalue()


@contextmanager
def _counted_requests() -> Iterator[Counter[str]]:
    """Count the requests of every S3 client that is made meanwhile, by operation."""
    counted: Counter[str] = Counter()

    def count(model: Any, **_: Any) -> None:
        counted[model.name] += 1

    boto3.setup_default_session()
    session = cast(boto3.Session, boto3.DEFAULT_SESSION)
    session.events.register("before-call.s3", count)
    try:
        yield counted
    finally:
        session.events.unregister("before-call.s3", count)


class _Bench:
    def __init__(
        self, info: StackInfo, receiver: Receiver, openai: OpenAIStandIn, photo: bytes, requests: Counter[str]
    ) -> None:
        self.info, self.receiver, self.openai, self.photo, self.requests = info, receiver, openai, photo, requests
        self.step_functions = info.client("stepfunctions")
        self.jobs_bucket = Bucket(info.client("s3"), info.jobs_bucket)
        self.outputs = Bucket(info.client("s3"), info.output_bucket)
        for number in range(_BATCH_IMAGES):
            self.jobs_bucket.client.put_object(Bucket=info.input_bucket, Key=f"{number:02}.jpg", Body=photo)

    def job(self, way: Way) -> Job:
        """Run a job of this way on the stack, and its functions here."""
        path = f"/{uuid.uuid4()}"
        body = {"prompt": "make the sky red"}
        if way != "batch":
            body |= {"image_base64": base64.b64encode(self.photo).decode(), "filename": "photo.jpg"}
        headers = {"callbackUrl": self.receiver.url(path)}
        accepted = httpx2.post(f"{self.info.api_url}{_ROUTES[way]}", json=body, headers=headers, timeout=60)
        job_id = accepted.raise_for_status().json()["job_id"]
        (callback,) = self.receiver.wait(path=path, timeout=_DEADLINE_SECONDS)
        self._ended(job_id)
        states = history.names(self.step_functions, self._arn(job_id))
        children = self._children(job_id) if way == "batch" else []
        return Job(
            states=history.names(self.step_functions, children[0]) if children else states,
            batch_states=states if children else [],
            images=len(children) or 1,
            invocations=[*self._of_a_job(way, job_id, body), *(self._of_a_batch(job_id) if children else [])],
            bytes_to_openai=len(self.openai.requests[-1]),
            bytes_to_caller=len(callback.body),
        )

    def _of_a_job(self, way: Way, job_id: str, body: dict[str, str]) -> Iterator[Invocation]:
        shared = _BATCH_IMAGES if way == "batch" else 1
        event = json.loads((ROOT / "events" / "accept" / "base64-job.json").read_text())
        event |= {"path": _ROUTES[way], "body": json.dumps(body)}
        yield self._measured("AcceptFunction", event, images=shared)
        request = {"job_id": job_id, "operation": way, "may_hand_over": True}
        if way == "batch":
            request["at"] = 0
        yield self._measured("ProcessSmallImageFunction", request, before=lambda: self._forget(job_id))
        outcome = self._input_of("DeliverCallback", job_id)["outcome"]
        delivery = {"action": "deliver", "job_id": job_id, "outcome": outcome}
        yield self._measured(
            "CallbackFunction", delivery, images=shared, before=lambda: self._forget(job_id, results=False)
        )

    def _of_a_batch(self, job_id: str) -> Iterator[Invocation]:
        listing = {"action": "list_images", "job_id": job_id}
        yield self._measured("BatchFanoutFunction", listing, images=_BATCH_IMAGES)
        given = self._input_of("SummarizeBatch", job_id)
        summing = {
            "action": "summarize_batch",
            "job_id": job_id,
            "manifest_key": given["manifest"]["manifest_key"],
            "results": given["map_run"]["ResultWriterDetails"],
        }
        yield self._measured("BatchFanoutFunction", summing, images=_BATCH_IMAGES)

    def _measured(
        self, function: str, event: dict[str, Any], images: int = 1, before: Callable[[], None] = lambda: None
    ) -> Invocation:
        """Call a function's handler a few times, warm; the processor time is that of this thread alone."""
        handler, context = self._handler(function)
        taken, logged = [], 0
        for _ in range(_RUNS + 1):
            before()
            self.requests.clear()
            with _log() as log:
                started = time.thread_time()
                handler(event, context)
                taken.append((time.thread_time() - started) * 1000)
            logged = log()
        reads = sum(count for name, count in self.requests.items() if name in _READS)
        return Invocation(
            function=function,
            # The first one makes the clients.
            cpu_ms=round(statistics.median(taken[1:]), 1),
            s3_reads=reads,
            s3_writes=self.requests.total() - reads,
            log_bytes=logged,
            images=images,
        )

    def _handler(self, function: str) -> tuple[Any, Any]:
        deployed = self.info.client("lambda").get_function_configuration(FunctionName=self.info.function_name(function))
        access = {"AWS_ACCESS_KEY_ID": self.info.access_key, "AWS_SECRET_ACCESS_KEY": self.info.secret_key}
        os.environ |= {
            **deployed["Environment"]["Variables"],
            **access,
            "AWS_ENDPOINT_URL": self.info.s3_endpoint,
            "AWS_DEFAULT_REGION": self.info.region,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(deployed["MemorySize"]),
            "POWERTOOLS_TRACE_DISABLED": "true",
        }
        context = SimpleNamespace(
            function_name=function,
            memory_limit_in_mb=deployed["MemorySize"],
            invoked_function_arn=deployed["FunctionArn"],
            aws_request_id=str(uuid.uuid4()),
            get_remaining_time_in_millis=lambda: 300_000,
        )
        return import_module(deployed["Handler"].removesuffix(".handler")).handler, context

    def _forget(self, job_id: str, *, results: bool = True) -> None:
        """Take away what a job's functions made, so that they make it again."""
        names = ["callback.json", "delivery.json", *(["result"] if results else [])]
        self.jobs_bucket.delete_all([f"jobs/{job_id}/{name}" for name in names])
        if results:
            for prefix in (f"results/{job_id}/", f"results/batch/{job_id}/"):
                if keys := [key for key, _ in self.outputs.keys(prefix)]:
                    self.outputs.delete_all(keys)

    def _ended(self, job_id: str) -> None:
        deadline = time.monotonic() + _DEADLINE_SECONDS
        while self.step_functions.describe_execution(executionArn=self._arn(job_id))["status"] == "RUNNING":
            if time.monotonic() > deadline:
                raise TimeoutError(f"job {job_id} still runs")
            time.sleep(0.1)

    def _children(self, job_id: str) -> list[str]:
        (run,) = self.step_functions.list_map_runs(executionArn=self._arn(job_id))["mapRuns"]
        listed = self.step_functions.list_executions(mapRunArn=run["mapRunArn"])["executions"]
        return [str(child["executionArn"]) for child in listed]

    def _input_of(self, state: str, job_id: str) -> dict[str, Any]:
        entered = history.entered(self.step_functions, self._arn(job_id))
        given: dict[str, Any] = json.loads(next(one["input"] for one in entered if one["name"] == state))
        return given

    def _arn(self, job_id: str) -> str:
        return f"{self.info.state_machine_arn.replace(':stateMachine:', ':execution:')}:{job_id}"


@contextmanager
def _log() -> Iterator[Callable[[], int]]:
    """Keep what is written to standard output; what is yielded tells, afterwards, how many bytes it was."""
    with tempfile.TemporaryFile() as file:
        kept = os.dup(1)
        os.dup2(file.fileno(), 1)
        try:
            yield lambda: size
        finally:
            os.dup2(kept, 1)
            os.close(kept)
            size = os.fstat(file.fileno()).st_size
