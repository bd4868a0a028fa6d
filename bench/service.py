"""How fast the service is, on the embedded AWS with the stand-in's edits at half a second.

Every figure is the whole way over HTTP: the API's answer, or the callback's arrival at a receiver in this process.
"""

import base64
import statistics
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2

from bench.fallback import small_photo
from bench.figures import Figure
from local.stack import EmbeddedStack, Options, Ports
from standins.receiver import Receiver

LATENCY_SECONDS = 0.5
BATCH_IMAGES, CONCURRENCY = 40, 10
_DEADLINE_SECONDS = 120


def measure(state_dir: Path) -> Iterator[Figure]:
    """Start a stack of its own, measure it warm, and stop it."""
    options = Options(
        ports=Ports.free(),
        state_dir=state_dir,
        openai_latency=LATENCY_SECONDS,
        parameters={"MaxConcurrentJobs": str(CONCURRENCY)},
    )
    with EmbeddedStack(options) as stack, Receiver() as receiver, httpx2.Client(timeout=60) as client:
        bench = _Bench(stack, receiver, client)
        bench.warm()
        best = BATCH_IMAGES / CONCURRENCY * LATENCY_SECONDS
        batches = statistics.median(bench.batch() for _ in range(5))
        yield Figure("batch of 40, as a multiple of its edits' own time, median", batches / best, 1.25, "ratio")
        yield Figure("accept, one at a time, median", bench.accept_one_at_a_time(), 100, "ms")
        yield Figure("accept, 20 at once, median", bench.accept_at_once(20), 600, "ms")
        yield Figure("one job, beyond OpenAI's own time, median", bench.one_job(), 400, "ms")


# Waits for a job's callback and gives its payload.
type Callback = Callable[[], dict[str, Any]]


class _Bench:
    def __init__(self, stack: EmbeddedStack, receiver: Receiver, client: httpx2.Client) -> None:
        self.stack, self.receiver, self.client = stack, receiver, client
        self.image = base64.b64encode(small_photo()).decode()

    def warm(self) -> None:
        """Have as many execution environments of each function as are used at once, each invoked before."""
        for logical_id, count in (
            ("AcceptFunction", 20),
            ("ProcessSmallImageFunction", CONCURRENCY),
            ("CallbackFunction", 4),
        ):
            self.stack.warm(self.stack.info.function_name(logical_id), count)
        s3 = self.stack.info.client("s3")
        for number in range(BATCH_IMAGES):
            s3.put_object(Bucket=self.stack.info.input_bucket, Key=f"{number:02}.jpg", Body=small_photo())
        self.accept_at_once(20)
        self.batch()

    def accept_one_at_a_time(self) -> float:
        """Milliseconds until a job is accepted, nothing else under way."""
        taken = []
        for _ in range(15):
            started = time.perf_counter()
            callback = self._submit("/process-image-async-b64", {"image_base64": self.image})
            taken.append(_ms(started))
            callback()
        return statistics.median(taken)

    def accept_at_once(self, count: int) -> float:
        """Milliseconds until a job is accepted when `count` are posted at the same moment."""

        def post(_: int) -> tuple[float, Callback]:
            started = time.perf_counter()
            callback = self._submit("/process-image-async-b64", {"image_base64": self.image})
            return _ms(started), callback

        with ThreadPoolExecutor(count) as pool:
            answers = list(pool.map(post, range(count)))
        for _, callback in answers:
            callback()
        return statistics.median(taken for taken, _ in answers)

    def one_job(self) -> float:
        """Milliseconds from the post to the callback, less OpenAI's."""
        taken = []
        for _ in range(9):
            started = time.perf_counter()
            self._submit("/process-image-async", {"image_base64": self.image})()
            taken.append(_ms(started) - LATENCY_SECONDS * 1000)
        return statistics.median(taken)

    def batch(self) -> float:
        """Seconds from the post of a batch to its callback."""
        started = time.perf_counter()
        payload = self._submit("/batch-process-images", {})()
        taken = time.perf_counter() - started
        if payload["processed"] != BATCH_IMAGES:
            raise RuntimeError(f"the batch did not run through: {payload}")
        return taken

    def _submit(self, route: str, body: dict[str, Any]) -> Callback:
        """Post a job; what is returned waits for its callback."""
        path = f"/bench/{uuid.uuid4()}"
        answer = self.client.post(
            f"{self.stack.info.api_url}{route}",
            json={"prompt": "make it blue", **body},
            headers={"callbackUrl": self.receiver.url(path)},
        )
        answer.raise_for_status()
        return lambda: self.receiver.wait(path=path, timeout=_DEADLINE_SECONDS)[0].json()


def _ms(started: float) -> float:
    return (time.perf_counter() - started) * 1000
