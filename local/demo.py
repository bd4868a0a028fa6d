"""The main job for real: a base64 job, a URL job and a batch, from pictures to callbacks and a contact sheet."""

import base64
import json
import mimetypes
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx2
from PIL import Image, UnidentifiedImageError
from rich.console import Console
from rich.json import JSON
from rich.markup import escape
from rich.panel import Panel
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn
from rich.table import Table

from local import contact_sheet, pictures
from local.contact_sheet import Entry
from local.deployment import ROOT
from local.pictures import Picture
from local.receiver import Received, Receiver
from local.stack import EmbeddedStack, Options, Ports, StackInfo

FOLDER = ROOT / ".local" / "demo"
OPENAI_URL = "https://api.openai.com/v1"
PROMPT = "Repaint this as a golden autumn watercolour"
_SINGLE_MAX_BYTES = 4_000_000  # what a base64 job may hold, below Lambda's 6 MB
# Each worker that is started costs a second of a processor.
_AT_ONCE = 4
_TIMEOUT_STAND_IN = 90.0
_TIMEOUT_OPENAI = 900.0
_TITLES = {"base64": "base64 job", "url": "URL job", "batch": "batch"}


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


@dataclass
class Outcome:
    """What became of one picture."""

    name: str
    job: str
    status: str
    engine: str
    seconds: float
    bytes_in: int
    bytes_out: int
    attempts: int
    note: str
    before: bytes | None = field(repr=False, default=None)
    after: bytes | None = field(repr=False, default=None)

    @property
    def kind(self) -> Any:
        """edited, fallback or failed."""
        if self.status == "failed":
            return "failed"
        return "fallback" if self.engine == "local_fallback" else "edited"


class DemoError(Exception):
    """The demo did not come to its end; the message says why."""


def run(console: Console, images: Path | None) -> None:
    """Run the demo; leaves nothing running, and its results in `.local/demo/`."""
    key = os.environ.get("OPENAI_API_KEY", "")
    base_url = os.environ.get("OPENAI_BASE_URL", "") or (OPENAI_URL if key else "")
    options = Options(
        parameters={"MaxConcurrentJobs": str(_AT_ONCE)},
        ports=Ports.free(),
        state_dir=FOLDER / "state",
        openai_base_url=base_url,
        openai_api_key=key,
        with_receiver=False,
    )
    console.print(_notice(options))
    jobs = _jobs(images, with_billing_limit=options.uses_stand_in)
    with _progress(console) as progress, Receiver() as receiver:
        stage = progress.add_task("embedded AWS", total=None, state="starting")
        with EmbeddedStack(options, report=lambda step: progress.update(stage, state=step)) as stack:
            progress.update(stage, total=1, completed=1, state=f"up at {stack.endpoint}")
            timeout = _TIMEOUT_STAND_IN if options.uses_stand_in else _TIMEOUT_OPENAI
            _run_jobs(stack.info, receiver, jobs, progress, timeout)
            outcomes = [outcome for job in jobs for outcome in _outcomes(stack.info, job)]
        progress.update(stage, state="stopped")
    _show_callbacks(console, jobs)
    _show_outcomes(console, outcomes)
    console.print(_notice(options))
    console.print(f"contact sheet: [bold]{_save(outcomes, jobs, options)}[/]", soft_wrap=True)


def _notice(options: Options) -> Panel:
    if options.uses_stand_in:
        text = (
            "[bold]A STAND-IN MAKES THESE EDITS, NOT OPENAI.[/] It tints each picture and writes the prompt below it.\n"
            "Set OPENAI_API_KEY to have OpenAI itself make them (that costs money)."
        )
        return Panel(text, style="black on yellow", expand=True)
    return Panel(f"[bold]OpenAI itself makes these edits[/], at {options.openai_base_url}", style="black on green")


def _jobs(folder: Path | None, *, with_billing_limit: bool) -> list[Job]:
    """The three jobs, with pictures that are drawn or a folder's.

    Among the batch are one that meets the billing limit and one that is no image. OpenAI itself cannot be made to
    refuse for its billing limit, so the former comes with the stand-in alone.
    """
    if folder is None:
        first, second, *batch = pictures.photographs()
    else:
        batch = _files(folder)
        postable = [one for one in batch if len(one.content) <= _SINGLE_MAX_BYTES and _is_image(one.content)]
        if not postable:
            raise DemoError(f"IMAGES={folder} holds no picture below {_SINGLE_MAX_BYTES:,} bytes for a job of its own")
        first, second = postable[0], postable[-1]
    if with_billing_limit:
        batch.append(pictures.at_the_billing_limit())
    batch.append(pictures.no_image())
    return [Job("base64", [first]), Job("url", [second]), Job("batch", batch)]


def _files(folder: Path) -> list[Picture]:
    if not folder.is_dir():
        raise DemoError(f"IMAGES={folder} is no folder: name one that holds pictures")
    found = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.startswith(".")]
    if not found:
        raise DemoError(f"IMAGES={folder} holds no files: name a folder that holds pictures")
    return [
        Picture(
            path.relative_to(folder).as_posix(),
            path.read_bytes(),
            mimetypes.guess_type(path.name)[0] or "application/octet-stream",
        )
        for path in found
    ]


def _progress(console: Console) -> Progress:
    return Progress(
        SpinnerColumn(finished_text="[green]✓"),
        TextColumn("{task.description:<12}"),
        BarColumn(bar_width=16),
        TextColumn("[dim]{task.fields[state]}"),
        console=console,
    )


def _run_jobs(info: StackInfo, receiver: Receiver, jobs: list[Job], progress: Progress, timeout: float) -> None:
    """Submit the jobs and wait for their callbacks."""
    bucket = info.images_client()
    for picture in jobs[-1].pictures:
        bucket.put_object(
            Bucket=info.input_bucket, Key=picture.name, Body=picture.content, ContentType=picture.content_type
        )
    bars: dict[str, TaskID] = {}
    with httpx2.Client(base_url=info.api_url, timeout=30) as api:
        for job in jobs:
            _submit(api, job, receiver.url(f"/{job.operation}"))
            total = len(job.pictures)
            bars[job.operation] = progress.add_task(f"{_TITLES[job.operation]}", total=total, state="accepted")
        deadline = time.monotonic() + timeout
        while waiting := [job for job in jobs if job.received is None]:
            if time.monotonic() > deadline:
                names = ", ".join(f"{_TITLES[job.operation]} {job.job_id}" for job in waiting)
                raise DemoError(f"no callback within {timeout:.0f} s for: {names}")
            for job in waiting:
                _look_after(api, receiver, job, lambda **how: progress.update(bars[job.operation], **how))  # noqa: B023
            time.sleep(0.15)


def _submit(api: httpx2.Client, job: Job, callback_url: str) -> None:
    body: dict[str, str] = {"prompt": PROMPT}
    route = "/batch-process-images"
    if job.operation != "batch":
        route = "/process-image-async-b64" if job.operation == "base64" else "/process-image-async"
        picture = job.pictures[0]
        body |= {
            "filename": picture.name.rpartition("/")[2],
            "image_base64": base64.b64encode(picture.content).decode(),
        }
    job.submitted_at = time.time()
    answer = api.post(route, json=body, headers={"callbackUrl": callback_url})
    if answer.status_code != 202:
        raise DemoError(f"POST {route} was answered {answer.status_code}: {answer.text[:500]}")
    job.job_id = answer.json()["job_id"]


def _look_after(api: httpx2.Client, receiver: Receiver, job: Job, update: Callable[..., None]) -> None:
    """Note a job's callback when it has come, else its progress."""
    if found := receiver.received(f"/{job.operation}"):
        job.received = found[0]
        update(completed=len(job.pictures), state=f"callback: {job.payload['status']} after {job.seconds:.1f} s")
        return
    status = api.get(f"/jobs/{job.job_id}").json()
    progress = status.get("progress") or {}
    done = progress.get("succeeded", 0) + progress.get("failed", 0)
    update(completed=done, state=str(status.get("status", "")))


def _outcomes(info: StackInfo, job: Job) -> list[Outcome]:
    """What became of a job's pictures: of a batch by its report, of a single one by its callback."""
    payload = job.payload
    if job.operation == "batch":
        return _batch_outcomes(info, job, payload)
    picture = job.pictures[0]
    after = None
    if "result_image_base64" in payload:
        after = base64.b64decode(payload["result_image_base64"])
    elif "result_url" in payload:
        after = httpx2.get(payload["result_url"], timeout=30).raise_for_status().content
    return [
        Outcome(
            name=picture.name,
            job=_TITLES[job.operation],
            status=payload["status"],
            engine="" if after is None else "openai",
            seconds=job.seconds,
            bytes_in=len(picture.content),
            bytes_out=len(after or b""),
            attempts=1,
            note=payload.get("error", ""),
            before=picture.content,
            after=after,
        )
    ]


def _batch_outcomes(info: StackInfo, job: Job, payload: dict[str, Any]) -> list[Outcome]:
    bucket = info.images_client()

    def read(key: str) -> bytes:
        content: bytes = bucket.get_object(Bucket=info.output_bucket, Key=key)["Body"].read()
        return content

    listed = bucket.list_objects_v2(Bucket=info.output_bucket, Prefix=payload["output_prefix"]).get("Contents", [])
    reports = [entry["Key"] for entry in listed if entry["Key"].endswith(".jsonl")]
    lines = read(reports[0]).decode().splitlines() if reports else []
    files = {picture.name: picture.content for picture in job.pictures}
    outcomes = []
    for line in lines:
        entry = json.loads(line)
        before = files.get(entry["key"], b"")
        output_key = entry.get("output_key")
        outcomes.append(
            Outcome(
                name=entry["key"],
                job=_TITLES["batch"],
                status=entry["status"],
                engine=entry.get("engine") or "",
                seconds=(entry.get("ms") or 0) / 1000,
                bytes_in=entry.get("bytes_in") or len(before),
                bytes_out=entry.get("bytes_out") or 0,
                attempts=entry.get("attempts") or 1,
                note=_words(entry.get("error")),
                before=before if _is_image(before) else None,
                after=read(output_key) if output_key else None,
            )
        )
    return outcomes


def _words(error: Any) -> str:
    return error if isinstance(error, str) else json.dumps(error) if error else ""


def _is_image(content: bytes) -> bool:
    try:
        with Image.open(BytesIO(content)) as image:
            return bool(image.size)
    except (UnidentifiedImageError, OSError):
        return False


def _show_callbacks(console: Console, jobs: list[Job]) -> None:
    for job in jobs:
        payload = {name: _brief(value) for name, value in job.payload.items()}
        title = f"callback of the {_TITLES[job.operation]}, after {job.seconds:.1f} s"
        shown = JSON.from_data(payload)
        shown.text.no_wrap, shown.text.overflow = False, "fold"
        console.print(Panel(shown, title=title, title_align="left", border_style="cyan"))


def _brief(value: Any) -> Any:
    if isinstance(value, str) and len(value) > 160:
        return f"{value[:48]}… ({len(value):,} characters)"
    return value


def _show_outcomes(console: Console, outcomes: list[Outcome]) -> None:
    table = Table(title="every image, and what became of it", title_justify="left", expand=True)
    table.add_column("image", no_wrap=True)
    table.add_column("job", no_wrap=True)
    table.add_column("what became of it", ratio=1)
    table.add_column("KB", justify="right", no_wrap=True)
    table.add_column("seconds", justify="right", no_wrap=True)
    colours = {"edited": "green", "fallback": "yellow", "failed": "red"}
    for one in outcomes:
        text = {"edited": "edited", "fallback": "billing limit: local fallback"}.get(one.kind, f"failed: {one.note}")
        if one.attempts > 1:
            text += f" (attempt {one.attempts})"
        sizes = f"{one.bytes_in / 1000:.0f} → {one.bytes_out / 1000:.0f}" if one.bytes_out else ""
        table.add_row(escape(one.name), one.job, f"[{colours[one.kind]}]{escape(text)}[/]", sizes, f"{one.seconds:.1f}")
    console.print(table)


def _save(outcomes: list[Outcome], jobs: list[Job], options: Options) -> Path:
    """Write the contact sheet; returns its path."""
    entries = [
        Entry(
            one.name,
            one.job,
            one.kind,
            _details(one),
            one.before or "This file is no image.",
            one.after or one.note or "There is no result.",
        )
        for one in outcomes
    ]
    editor = "a stand-in for OpenAI made these edits" if options.uses_stand_in else "edited by OpenAI"
    batch = next(job for job in jobs if job.operation == "batch")
    subtitle = f"“{PROMPT}”  ·  {editor}  ·  batch of {len(batch.pictures)} in {batch.seconds:.1f} s"
    path = FOLDER / "contact-sheet.png"
    contact_sheet.draw("wxo-image-jobs: before and after", subtitle, entries).save(path)
    return path


def _details(one: Outcome) -> str:
    if one.kind == "failed":
        return ""
    sizes = f"{one.bytes_in / 1000:.0f} KB to {one.bytes_out / 1000:.0f} KB"
    return f"{one.seconds:.1f} s  ·  {sizes}" + ("  ·  billing limit" if one.kind == "fallback" else "")
