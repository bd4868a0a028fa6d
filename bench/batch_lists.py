"""Measures ListImages and SummarizeBatch: processor time and peak memory for batches of many images.

Each runs in a process of its own against `disk_s3`. `make bench IMAGES=1000000` measures a million images too, which
take a gigabyte of disk and some minutes.
"""

import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from bench.disk_s3 import serve
from bench.figures import Figure

COUNTS = (10_000, 100_000)
MAX_MEMORY_MB = 256.0
# Lambda gives the function 900 s, and at 1,024 MB about half a processor: a million images take half of that at most.
_MAX_SECONDS_PER_IMAGE = 0.0002
_TIMEOUT = 1800
JOB_ID = "0b6f2c1e-0000-4000-8000-000000000001"
RESULTS = {"Bucket": "jobs", "Key": "results.json"}


def measure(counts: tuple[int, ...] = COUNTS) -> Iterator[Figure]:
    """Measure both tasks with each number of images."""
    for images in counts:
        with tempfile.TemporaryDirectory(prefix="bench-lists-") as folder, serve(Path(folder), images) as url:
            for task in ("list_images", "summarize_batch"):
                if task == "summarize_batch":
                    write_results(Path(folder))
                command = [sys.executable, "-m", "bench.batch_lists", task, url]
                done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_TIMEOUT)  # noqa: S603
                found = json.loads(done.stdout)
                if found["total_files"] != images:
                    raise RuntimeError(f"{task} counted {found['total_files']:,} of {images:,} images")
                name = f"{task} of {images:,} images"
                yield Figure(f"{name}: processor time", found["seconds"], _MAX_SECONDS_PER_IMAGE * images + 2, "s")
                yield Figure(f"{name}: peak memory", found["peak_mb"], MAX_MEMORY_MB, "MB")


def write_results(folder: Path) -> None:
    """Write what a map run's ResultWriter leaves of the batch that the manifest names, in any order."""
    with (folder / f"jobs+jobs+{JOB_ID}+manifest.jsonl").open("rb") as manifest:
        places = [json.loads(line)["at"] for line in manifest]
    random.Random(1).shuffle(places)
    with (folder / "jobs+SUCCEEDED_0.jsonl").open("w") as file:
        file.writelines(f"{json.dumps(child(at))}\n" for at in places)
    files = {"SUCCEEDED": [{"Key": "SUCCEEDED_0.jsonl"}], "FAILED": [], "PENDING": []}
    (folder / "jobs+results.json").write_text(json.dumps({"ResultFiles": files}))


def child(at: int) -> dict[str, object]:
    """A child execution as ResultWriter writes it."""
    arn = "arn:aws:states:eu-central-1:123456789012"
    edited = {"status": "edited", "content_type": "image/png", "engine": "openai", "attempts": 1, "bytes_in": 2_000_000}
    edited |= {"bytes_out": 3_000_000, "ms": 21_345}
    return {
        "ExecutionArn": f"{arn}:execution:wxo-image-jobs-image-job/EditEachImage:{JOB_ID}",
        "Input": json.dumps({"job_id": JOB_ID, "operation": "batch", "at": at, "outcome": {"image": {"attempts": 0}}}),
        "InputDetails": {"Included": True},
        "Name": JOB_ID,
        "Output": json.dumps(edited),
        "OutputDetails": {"Included": True},
        "RedriveCount": 0,
        "RedriveStatus": "NOT_REDRIVABLE",
        "RedriveStatusReason": "Execution is SUCCEEDED and cannot be redriven",
        "StartDate": "2026-11-01T00:00:00.000Z",
        "StateMachineArn": f"{arn}:stateMachine:wxo-image-jobs-image-job/EditEachImage",
        "Status": "SUCCEEDED",
        "StopDate": "2026-11-01T00:00:21.400Z",
    }


def run(task: str, url: str) -> dict[str, float]:
    """Run one of the tasks in this process."""
    from functions.batch_fanout.manifest import list_images
    from functions.batch_fanout.settings import BatchFanoutSettings
    from functions.batch_fanout.summary import summarize_batch
    from imagejobs.job_request import JobRequest
    from imagejobs.job_store import JobStore
    from imagejobs.resources import Clients, Patience
    from imagejobs.storage import Bucket
    from imagejobs.workflow import SummarizeBatch

    access = {"aws_access_key_id": "k", "aws_secret_access_key": "s", "region_name": "eu-central-1"}
    s3 = Clients(Patience(), endpoint_url=url, **access).s3
    jobs, inputs, outputs = (Bucket(s3, name) for name in ("jobs", "input", "output"))
    settings = BatchFanoutSettings(max_batch_images=sys.maxsize, cos_output_bucket="output")
    request = JobRequest(
        job_id=JOB_ID,
        operation="batch",
        prompt="p",
        callback_url="https://receiver.example/",
        correlation_id="c",
        created_at=datetime.now(UTC),
    )
    store = JobStore(jobs)
    started = time.process_time()
    if task == "list_images":
        total_files = list_images(request, inputs, outputs, store, settings).total_files
    else:
        manifest_key = store.key(JOB_ID, "manifest.jsonl")
        summarize = SummarizeBatch.model_validate(
            {"action": task, "job_id": JOB_ID, "manifest_key": manifest_key, "results": RESULTS}
        )
        total_files = summarize_batch(summarize, request, outputs, store, settings).total_files
    return {"total_files": total_files, "seconds": time.process_time() - started, "peak_mb": _peak_mb()}


def _peak_mb() -> float:
    """This process's peak memory. (getrusage's begins at what the parent held; Linux's VmHWM does not.)"""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


if __name__ == "__main__":
    if sys.argv[1:2] in (["list_images"], ["summarize_batch"]):
        print(json.dumps(run(*sys.argv[1:])))  # noqa: T201
    else:
        for figure in measure(tuple(int(number) for number in sys.argv[1:]) or COUNTS):
            print(json.dumps(figure.row()), flush=True)  # noqa: T201
