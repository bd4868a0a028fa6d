"""How well OpenAI's rate limit is used: on the embedded AWS, with a stand-in that allows one image a second.

The stand-in spaces the images evenly, without a burst: harder than OpenAI's own images a minute.
"""

import base64
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2

from bench.fallback import small_photo
from bench.figures import Figure
from local.stack import EmbeddedStack, Options, Ports
from standins.openai import OpenAIStandIn
from standins.receiver import Receiver

SINGLES = 100
BATCH, AT_ONCE, SINGLES_BESIDE = 120, 40, 20
_DEADLINE_SECONDS = 600
_BATCH_PROMPT = "the batch"


def measure(state_dir: Path) -> Iterator[Figure]:
    """Start a stack of its own, have many images edited at once, and stop it."""
    with OpenAIStandIn(latency=0.5) as openai, Receiver() as receiver, httpx2.Client(timeout=120) as client:
        options = Options(
            ports=Ports.free(),
            state_dir=state_dir,
            openai_base_url=openai.base_url,
            openai_api_key="sk-bench",
            with_receiver=False,
            parameters={"MaxConcurrentJobs": str(AT_ONCE)},
        )
        with EmbeddedStack(options) as stack:
            bench = _Bench(stack, openai, receiver, client)
            ratio = bench.run(SINGLES)
            yield Figure("100 jobs at one image a second, as a multiple of the ideal", ratio, 1.3, "ratio")
            yield Figure("… and calls to OpenAI for one of them, at most", max(bench.calls().values()), 6, "calls")
            bench.fill(BATCH)
            ratio = bench.run(SINGLES_BESIDE, with_batch=True)
            yield Figure("20 jobs beside a batch of 120, as a multiple of the ideal", ratio, 1.3, "ratio")
            calls = bench.calls()
            mean = calls.total() / (BATCH + SINGLES_BESIDE)
            yield Figure("… and calls to OpenAI for an image, mean", mean, 6, "calls")
            del calls[_BATCH_PROMPT]
            yield Figure("… and calls to OpenAI for one of the 20 jobs, at most", max(calls.values()), 8, "calls")


class _Bench:
    def __init__(self, stack: EmbeddedStack, openai: OpenAIStandIn, receiver: Receiver, client: httpx2.Client) -> None:
        self.stack, self.openai, self.receiver, self.client = stack, openai, receiver, client
        self.image = small_photo()

    def fill(self, count: int) -> None:
        """Put a batch's images into the input bucket."""
        s3 = self.stack.info.images_client()
        for number in range(count):
            s3.put_object(Bucket=self.stack.info.input_bucket, Key=f"{number:03}.jpg", Body=self.image)

    def run(self, singles: int, *, with_batch: bool = False) -> float:
        """From the first post to the last callback, as a multiple of the seconds that the limit needs."""
        self.openai.reset()
        self.receiver.reset()
        self.openai.images_per_minute = 60
        started, images = time.monotonic(), singles + (BATCH if with_batch else 0)
        if with_batch:
            self._post("/batch-process-images", _BATCH_PROMPT)
        image = base64.b64encode(self.image).decode()
        with ThreadPoolExecutor(20) as pool:
            prompts = [f"single {number}" for number in range(singles)]
            list(pool.map(lambda prompt: self._post("/process-image-async", prompt, image_base64=image), prompts))
        received = self.receiver.wait(count=singles + int(with_batch), timeout=_DEADLINE_SECONDS)
        if bad := [one.json() for one in received if one.json()["status"] != "completed"]:
            raise RuntimeError(f"not every image was edited: {bad}")
        return (time.monotonic() - started) / (images - 1)

    def calls(self) -> Counter[str]:
        """Calls to OpenAI by prompt."""
        return Counter(call.prompt for call in list(self.openai.calls))

    def _post(self, route: str, prompt: str, **body: str) -> None:
        answer = self.client.post(
            f"{self.stack.info.api_url}{route}",
            json={"prompt": prompt, **body},
            headers={"callbackUrl": self.receiver.url("/done")},
        )
        answer.raise_for_status()
