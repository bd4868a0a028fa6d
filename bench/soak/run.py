"""The soak itself: jobs in great number, while OpenAI and the receiver fail at random and workers are killed."""

import base64
import io
import json
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from PIL import Image

from bench.soak.killer import Killer
from bench.soak.verdict import Kill, Story
from imagejobs.job_store import JobStore
from imagejobs.storage import Bucket
from local.stack import EmbeddedStack, Options, Ports
from standins.openai import OpenAIStandIn
from standins.receiver import Receiver, Step

# Delays are short, so that a soak takes minutes. Six attempts outlast every receiver that comes round.
PARAMETERS = {
    "CallbackMaxRetries": "6",
    "CallbackBackoffRate": "1",
    "CallbackMaxDelaySeconds": "2",
    "CallbackTimeoutSeconds": "30",
    "OpenAITimeoutSeconds": "60",
}
AT_ONCE = 30
BATCH_IMAGES = 3
_ROUTES = ("/process-image-async", "/process-image-async-b64", "/batch-process-images")
# How receivers behave, each with its weight: those that come round, and those that never do.
_RECEIVERS: list[tuple[int, list[Step | int]]] = [
    (70, [200]),
    (8, [503, 200]),
    (6, [500, 429, 204]),
    (6, [Step(drop=True), 200]),
    (3, [Step(hang=2), 200]),
    (3, [302, 202]),
    (2, [503]),
    (1, [Step(drop=True)]),
    (1, [410]),
]
# What OpenAI does to a job, each with its weight; all but the last two pass when they are tried again.
_FAULTS: list[tuple[int, str]] = [
    (70, ""),
    (6, "server_error"),
    (6, "unavailable"),
    (6, "drop"),
    (3, "hang"),
    (2, "rate_limit"),
    (2, "empty"),
    (2, "garbage_image"),
    (2, "moderation"),
    (1, "billing_hard_limit"),
]
_SWEEP_SECONDS = 30.0
_STILL_SECONDS = 300.0


class SoakError(Exception):
    """The soak could not be run to its end; the message says why."""


@dataclass
class Progress:
    """How far a soak is: until the first job is accepted, what is being started.

    `tell` is called with a line at each step, and every half minute from then on.
    """

    tell: Callable[[str], None] = lambda _line: None
    step: str = "starting"
    accepted: int = 0
    ended: int = 0
    kills: list[Kill] = field(default_factory=list)

    def report(self, step: str) -> None:
        """Note what is being started."""
        self.step = step
        self.tell(step)

    def __str__(self) -> str:
        told = f"{self.accepted} accepted, {self.ended} ended, {len(self.kills)} workers killed"
        return told if self.accepted else self.step


@dataclass
class Soak:
    """One soak; `seed` decides the jobs, their faults, and when and which workers are killed."""

    jobs: int
    seed: int
    kills_per_second: float
    state_dir: Path
    progress: Progress = field(default_factory=Progress)

    def run(self) -> list[Story]:
        """Run it on a stack of its own, which is gone afterwards; returns what was seen of each accepted job."""
        with OpenAIStandIn(latency=0.1) as openai, Receiver(kept=50 * self.jobs) as receiver:
            options = Options(
                ports=Ports.free(),
                state_dir=self.state_dir,
                openai_base_url=openai.base_url,
                openai_api_key="stand-in",
                with_receiver=False,
                parameters=PARAMETERS,
            )
            with EmbeddedStack(options, report=self.progress.report) as stack:
                stories = self._soak(stack, openai, receiver)
            self._tell(stories, openai, receiver)
        return list(stories.values())

    def _soak(self, stack: EmbeddedStack, openai: OpenAIStandIn, receiver: Receiver) -> dict[str, Story]:
        """Post every job and wait until each has ended; returns a story for each, with its dead letters alone."""
        load = _Load(stack, openai, receiver, random.Random(self.seed))
        chance = random.Random(f"kills {self.seed}")
        killer = Killer(stack, self.progress.kills, self.kills_per_second, chance)
        numbers = load.prepare(self.jobs)
        pending, moved = set[str](), time.monotonic()
        swept = moved
        waiting: set[Future[str]] = set()
        with ThreadPoolExecutor(4) as pool, killer:
            while numbers or waiting or pending:
                while numbers and len(waiting) + len(pending) < AT_ONCE:
                    waiting.add(pool.submit(load.post, numbers.pop()))
                posted = {future for future in waiting if future.done()}
                waiting -= posted
                pending |= {future.result() for future in posted}
                ended = {job for job in pending if load.has_ended(job)}
                pending -= ended
                self.progress.accepted += len(posted)
                self.progress.ended += len(ended)
                now = time.monotonic()
                moved = now if posted or ended else moved
                if now - swept > _SWEEP_SECONDS:
                    load.sweep()
                    self.progress.tell(str(self.progress))
                    swept = now
                if now - moved > _STILL_SECONDS:
                    break  # what is pending is lost, and the verdict says so
                time.sleep(0.3)
        return load.stories()

    def _tell(self, stories: dict[str, Story], openai: OpenAIStandIn, receiver: Receiver) -> None:
        """Add to each job's story what OpenAI and the receiver saw of it."""
        of_path = {f"/{story.number}": story for story in stories.values()}
        for request in receiver.received():
            if story := of_path.get(request.path):
                story.requests.append(request)
        for call in openai.calls:
            if story := of_path.get(f"/{call.prompt.split()[1]}"):
                story.calls.append(call)


@dataclass
class _Load:
    """Posts the jobs, as a caller does that tries again until it has its 202."""

    stack: EmbeddedStack
    openai: OpenAIStandIn
    receiver: Receiver
    random: random.Random
    _plans: dict[int, tuple[str, dict[str, Any]]] = field(default_factory=dict)
    _accepted: dict[str, int] = field(default_factory=dict)

    def prepare(self, jobs: int) -> list[int]:
        """Choose each job's kind, its receiver and what OpenAI does to it; returns the jobs' numbers."""
        # Told apart by their size, wherever they are seen.
        pictures = [_picture(64 * (number + 1)) for number in range(BATCH_IMAGES)]
        s3 = self.stack.info.client("s3")
        for number, picture in enumerate(pictures):
            s3.put_object(Bucket=self.stack.info.input_bucket, Key=f"soak/{number}.png", Body=picture)
        for number in range(jobs):
            route = self.random.choices(_ROUTES, (55, 35, 10))[0]
            body: dict[str, Any] = {"prompt": f"soak {number} <{number}>"}
            if route == "/batch-process-images":
                body["prefix"] = "soak"
            else:
                body["image_base64"] = base64.b64encode(pictures[0]).decode()
            self._plans[number] = route, body
            self.receiver.script(f"/{number}", *_chosen(self.random, _RECEIVERS))
            if fault := _chosen(self.random, _FAULTS):
                passes = (
                    {"times": self.random.randint(1, 2)} if fault not in ("moderation", "billing_hard_limit") else {}
                )
                self.openai.fail(fault, prompt=f"<{number}>", seconds=2, retry_after=1, **passes)
        return list(range(jobs))

    def post(self, number: int) -> str:
        """Post a job until it is accepted; returns its id."""
        route, body = self._plans[number]
        headers = {"callbackUrl": self.receiver.url(f"/{number}"), "Idempotency-Key": f"soak-{number}"}
        answer = "no answer"
        for _ in range(60):
            with suppress(httpx2.HTTPError):
                answered = httpx2.post(f"{self.stack.info.api_url}{route}", json=body, headers=headers, timeout=120)
                answer = f"{answered.status_code}: {answered.text[:300]}"
                if answered.status_code == 202:
                    job_id = str(answered.json()["job_id"])
                    self._accepted[job_id] = number
                    return job_id
                if answered.status_code < 500 and answered.status_code != 429:
                    break
            time.sleep(1)
        raise SoakError(f"job {number} was not accepted: {answer}")

    def has_ended(self, job_id: str) -> bool:
        """Tell whether a job's delivery has ended."""
        return self._store.get_delivery(job_id).status != "pending"

    def sweep(self) -> None:
        """Do what the stack's schedule does every 15 minutes, on AWS."""
        name = self.stack.info.function_name("CallbackFunction")
        event = json.dumps({"action": "sweep", "grace_seconds": 20})
        self.stack.info.client("lambda").invoke(FunctionName=name, Payload=event)

    def stories(self) -> dict[str, Story]:
        """A story for each accepted job, with the letters that lie on the dead-letter queue."""
        found = {job_id: Story(job_id, number) for job_id, number in self._accepted.items()}
        for letter in self._letters():
            if story := found.get(letter.get("job_id", "")):
                story.letters += 1
        return found

    @property
    def _store(self) -> JobStore:
        return JobStore(Bucket(self.stack.info.client("s3"), self.stack.info.jobs_bucket))

    def _letters(self) -> Iterator[dict[str, Any]]:
        sqs, url = self.stack.info.client("sqs"), self.stack.info.dead_letter_queue_url
        while found := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            for message in found:
                yield json.loads(message["Body"])
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


def _chosen[T](chance: random.Random, weighted: list[tuple[int, T]]) -> T:
    return chance.choices([choice for _, choice in weighted], [weight for weight, _ in weighted])[0]


def _picture(width: int) -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((width, 48), 80).save(buffer, "PNG")
    return buffer.getvalue()
