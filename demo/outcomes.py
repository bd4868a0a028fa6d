"""What became of the demo's pictures, by callback and report."""

import base64
import json
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import httpx2
from PIL import Image, UnidentifiedImageError
from rich.markup import escape
from rich.table import Table

from imagejobs.workflow import REPORT_NAME
from local.stack import StackInfo
from standins.receiver import Received

TITLES = {"base64": "base64 job", "url": "URL job", "batch": "batch"}


@dataclass(frozen=True)
class Picture:
    """A file for a job."""

    name: str
    content: bytes


@dataclass
class Job:
    """One of the three jobs, from its submission to its callback."""

    operation: str
    pictures: list[Picture]
    job_id: str = ""
    submitted_at: float = 0
    received: Received | None = None

    @property
    def payload(self) -> dict[str, Any]:
        """The callback's payload."""
        assert self.received is not None
        payload: dict[str, Any] = self.received.json()
        return payload

    @property
    def seconds(self) -> float:
        """From the submission to the callback."""
        return self.received.at - self.submitted_at if self.received else 0.0


@dataclass(frozen=True)
class Outcome:
    """What became of one picture. `before` is None when the file is not an image, `after` when the job failed."""

    name: str
    job: str
    seconds: float
    note: str
    before: bytes | None = field(repr=False)
    after: bytes | None = field(repr=False)
    fell_back: bool = False
    attempts: int = 1
    model: str = ""
    cost_usd: float | None = None

    @property
    def kind(self) -> str:
        """edited, fallback or failed."""
        if self.after is None:
            return "failed"
        return "fallback" if self.fell_back else "edited"

    @property
    def sizes(self) -> str:
        """Kilobytes before and after."""
        return f"{len(self.before or b'') / 1000:.0f} to {len(self.after or b'') / 1000:.0f}"

    @property
    def maker(self) -> str:
        """Which model made the edit, and for how much, as far as that is known."""
        cost = "" if self.cost_usd is None else f" for ${self.cost_usd:.4f}"
        return f" by {self.model}{cost}" if self.model else ""


def outcomes_of(info: StackInfo, job: Job) -> list[Outcome]:
    """What became of a job's pictures: of a batch by its report, of a single one by its callback."""
    payload = job.payload
    if job.operation == "batch":
        return _outcomes_of_batch(info, job, payload)
    picture = job.pictures[0]
    after = None
    if "result_image_base64" in payload:
        after = base64.b64decode(payload["result_image_base64"])
    elif "result_url" in payload:
        after = httpx2.get(payload["result_url"], timeout=30).raise_for_status().content
    status = httpx2.get(f"{info.api_url}/jobs/{job.job_id}", timeout=30).raise_for_status().json()
    return [
        Outcome(
            name=picture.name,
            job=TITLES[job.operation],
            seconds=job.seconds,
            note=payload.get("error", ""),
            before=picture.content,
            after=after,
            model=status.get("model", ""),
            cost_usd=status["usage"].get("cost_usd"),
        )
    ]


def _outcomes_of_batch(info: StackInfo, job: Job, payload: dict[str, Any]) -> list[Outcome]:
    bucket = info.images_client()

    def read(key: str) -> bytes:
        content: bytes = bucket.get_object(Bucket=info.output_bucket, Key=key)["Body"].read()
        return content

    lines = read(f"{payload['output_prefix']}{REPORT_NAME}").splitlines() if payload["status"] != "failed" else []
    files = {picture.name: picture.content for picture in job.pictures}
    outcomes = []
    for entry in map(json.loads, lines):
        before = files.get(entry["key"], b"")
        outcomes.append(
            Outcome(
                name=entry["key"],
                job=TITLES["batch"],
                seconds=(entry.get("ms") or 0) / 1000,
                note=entry.get("error") or "",
                before=before if is_image(before) else None,
                after=read(entry["output_key"]) if entry.get("output_key") else None,
                fell_back=entry.get("engine") == "local_fallback",
                attempts=entry.get("attempts") or 1,
                model=entry.get("model") or "",
                cost_usd=entry.get("cost_usd"),
            )
        )
    return outcomes


def is_image(content: bytes) -> bool:
    """Whether Pillow knows the content as an image."""
    try:
        with Image.open(BytesIO(content)) as image:
            return bool(image.size)
    except (UnidentifiedImageError, OSError):
        return False


def table_of(outcomes: list[Outcome]) -> Table:
    """Lay out every image, what became of it and how long it took."""
    table = Table(title="every image, and what became of it", title_justify="left", expand=True)
    table.add_column("image", no_wrap=True)
    table.add_column("job", no_wrap=True)
    table.add_column("what became of it", ratio=1)
    table.add_column("KB", justify="right", no_wrap=True)
    table.add_column("seconds", justify="right", no_wrap=True)
    colours = {"edited": "green", "fallback": "yellow", "failed": "red"}
    for one in outcomes:
        text = {"edited": f"edited{one.maker}", "fallback": "billing limit: local fallback"}.get(
            one.kind, f"failed: {one.note}"
        )
        if one.attempts > 1:
            text += f" (attempt {one.attempts})"
        sizes = one.sizes if one.after else ""
        outcome = f"[{colours[one.kind]}]{escape(text)}[/]"
        table.add_row(escape(one.name), one.job, outcome, sizes, f"{one.seconds:.1f}")
    return table
