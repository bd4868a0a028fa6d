"""What became of the demo's pictures, as the service tells it."""

from dataclasses import dataclass, field
from pathlib import Path

import httpx2
from rich.markup import escape
from rich.table import Table

from demo.jobs import BATCH, Job
from imagejobs_client import BatchImage, Client

_ENGINES = {"openai": "OpenAI", "bedrock": "Amazon Bedrock", "gemini": "Google Gemini", "local_fallback": "local"}
# Edited pictures that are fetched for the contact sheet.
SHOWN = 60


@dataclass(frozen=True)
class Outcome:
    """What became of one picture. `after` is None when it failed, and for those that the sheet does not show."""

    name: str
    job: str
    prompt: str
    seconds: float
    before: Path = field(repr=False)
    after: bytes | None = field(default=None, repr=False)
    error: str = ""
    engine: str = ""
    model: str = ""
    # By the price list.
    cost_usd: float | None = None
    attempts: int = 1
    stand_in: bool = False

    @property
    def kind(self) -> str:
        """edited, fallback or failed."""
        if self.error:
            return "failed"
        return "fallback" if self.engine == "local_fallback" else "edited"

    @property
    def maker(self) -> str:
        """Whose engine made the edit."""
        name = _ENGINES.get(self.engine, self.engine)
        return f"{name} stand-in" if self.stand_in and self.engine != "local_fallback" else name

    @property
    def cost(self) -> str:
        """The estimate of the cost in US dollars, where it is known."""
        if self.cost_usd is None:
            return ""
        return f"${self.cost_usd:.4f}" if self.cost_usd else "$0"


def outcomes_of(client: Client, job: Job, *, stand_ins: bool) -> list[Outcome]:
    """What became of a job's pictures; of as many as the contact sheet shows, with the picture."""
    if job.route == BATCH:
        return _outcomes_of_batch(client, job, stand_ins)
    told, payload, picture = client.job(job.job_id), job.payload, job.pictures[0]
    used = told.usage.images[0] if told.usage and told.usage.images else None
    after = client.result(told) if told.succeeded else None
    return [
        Outcome(
            name=picture.name,
            job=job.title,
            prompt=job.prompt,
            seconds=job.seconds,
            before=picture.path,
            after=after,
            error="" if told.succeeded else payload.get("error") or told.reason or told.status,
            engine=(used and used.engine) or "",
            model=(used and used.model) or job.model,
            cost_usd=used.cost_usd if used else None,
            stand_in=stand_ins,
        )
    ]


def _outcomes_of_batch(client: Client, job: Job, stand_ins: bool) -> list[Outcome]:
    told = {image.file: image for image in client.images(job.job_id)}
    nothing = job.payload.get("error") or f"the job is {job.payload['status']}"
    outcomes = []
    for shown, picture in enumerate(job.pictures):
        image = told.get(picture.name) or BatchImage(file=picture.name, status="failed", error=nothing)
        done = image.status == "completed"
        outcomes.append(
            Outcome(
                name=picture.name,
                job=job.title,
                prompt=job.prompt,
                seconds=(image.ms or 0) / 1000,
                before=picture.path,
                after=_fetched(image.after_url) if done and shown < SHOWN else None,
                error="" if done else image.error or image.status,
                engine=image.engine or "",
                model=image.model or "",
                cost_usd=image.cost_usd,
                attempts=image.attempts or 1,
                stand_in=stand_ins,
            )
        )
    return outcomes


def _fetched(url: str | None) -> bytes | None:
    return httpx2.get(url, timeout=60).raise_for_status().content if url else None


def total_cost(outcomes: list[Outcome]) -> float:
    """What the edits cost whose price is known."""
    return sum(one.cost_usd or 0 for one in outcomes)


def table_of(outcomes: list[Outcome]) -> Table:
    """Lay out every image, who edited it, what that cost and how long it took."""
    table = Table(title="every image, and what became of it", title_justify="left", expand=True, show_footer=True)
    table.add_column("image", overflow="fold", ratio=2, footer=f"{len(outcomes)} images")
    table.add_column("job", no_wrap=True)
    table.add_column("what became of it", overflow="fold", ratio=4)
    table.add_column("cost", justify="right", no_wrap=True, footer=f"${total_cost(outcomes):.4f}")
    table.add_column("seconds", justify="right", no_wrap=True)
    colours = {"edited": "green", "fallback": "yellow", "failed": "red"}
    for one in outcomes:
        text = {
            "edited": f"edited by {one.maker}, {one.model}",
            "fallback": "billing limit: local fallback",
            "failed": f"failed: {one.error}",
        }[one.kind]
        if one.attempts > 1:
            text += f" (attempt {one.attempts})"
        table.add_row(
            escape(one.name), one.job, f"[{colours[one.kind]}]{escape(text)}[/]", one.cost, f"{one.seconds:.1f}"
        )
    return table
