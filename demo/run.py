"""The main job for real: a base64 job, a URL job and a batch, from pictures to callbacks and a contact sheet."""

import base64
import mimetypes
import os
import time
from pathlib import Path
from typing import Any

import httpx2
from rich.console import Console
from rich.json import JSON
from rich.panel import Panel
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn

from demo import contact_sheet
from demo.outcomes import TITLES, Job, Picture, is_image, outcomes_of, table_of
from local.deployment import ROOT
from local.stack import EmbeddedStack, Options, Ports, StackInfo, openai_server
from standins.receiver import Receiver

FOLDER = ROOT / ".local" / "demo"
# Landscapes, each in a format of its own.
PICTURES = Path(__file__).parent / "pictures"
# A file that has the name of an image and is not one, and a picture for which the OpenAI stand-in answers that the
# billing limit is reached.
TROUBLE = Path(__file__).parent / "trouble"
AT_THE_BILLING_LIMIT = "balloons.png"
ROUTES = {"base64": "/process-image-async-b64", "url": "/process-image-async", "batch": "/batch-process-images"}
PROMPT = "Repaint this as a golden autumn watercolour"
_SINGLE_MAX_BYTES = 4_000_000  # what a base64 job may hold, below Lambda's 6 MB
# Each worker that is started costs a second of a processor.
_AT_ONCE = 4
_TIMEOUT_STAND_IN = 90.0
_TIMEOUT_OPENAI = 900.0


class DemoError(Exception):
    """The demo did not come to its end; the message says why."""


def run(console: Console, images: Path | None) -> None:
    """Run the demo; leaves nothing running, and its results in `.local/demo/`."""
    key = os.environ.get("OPENAI_API_KEY", "")
    options = Options(
        parameters={"MaxConcurrentJobs": str(_AT_ONCE)},
        ports=Ports.free(),
        state_dir=FOLDER / "state",
        openai_base_url=openai_server(os.environ.get("OPENAI_BASE_URL", ""), key),
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
            outcomes = [outcome for job in jobs for outcome in outcomes_of(stack.info, job)]
        progress.update(stage, state="stopped")
    _show_callbacks(console, jobs)
    console.print(table_of(outcomes))
    console.print(_notice(options))
    batch = jobs[-1]
    editor = "a stand-in for OpenAI made these edits" if options.uses_stand_in else options.openai_base_url
    subtitle = f"“{PROMPT}”  ·  {editor}  ·  batch of {len(batch.pictures)} in {batch.seconds:.1f} s"
    path = FOLDER / "contact-sheet.png"
    contact_sheet.draw("wxo-image-jobs: before and after", subtitle, outcomes).save(path)
    console.print(f"contact sheet: [bold]{path}[/]", soft_wrap=True)


def _notice(options: Options) -> Panel:
    if options.uses_stand_in:
        text = (
            "[bold]A STAND-IN MAKES THESE EDITS, NOT OPENAI.[/] It tints each picture and writes the prompt below it.\n"
            "Set OPENAI_API_KEY to have OpenAI itself make them (that costs money)."
        )
        return Panel(text, style="black on yellow", expand=True)
    if options.uses_openai:
        text = "[bold]OpenAI itself makes these edits[/], and each is paid by the owner of OPENAI_API_KEY."
    else:
        text = f"[bold]The server of OPENAI_BASE_URL makes these edits[/], at {options.openai_base_url}"
    return Panel(text, style="black on green")


def _jobs(images: Path | None, *, with_billing_limit: bool) -> list[Job]:
    """The three jobs, with the demo's pictures or a folder's.

    Among the batch are one that meets the billing limit and one that is not an image. OpenAI itself cannot be made to
    refuse for its billing limit, so the former comes with the stand-in alone.
    """
    files = _files(images or PICTURES)
    postable = [one for one in files if len(one.content) <= _SINGLE_MAX_BYTES and is_image(one.content)]
    if not postable:
        raise DemoError(f"IMAGES={images} holds no picture below {_SINGLE_MAX_BYTES:,} bytes for a job of its own")
    singles = [postable[0], postable[-1]]
    batch = [one for one in files if images or one not in singles]
    batch += [one for one in _files(TROUBLE) if with_billing_limit or one.name != AT_THE_BILLING_LIMIT]
    return [Job("base64", singles[:1]), Job("url", singles[1:]), Job("batch", batch)]


def _files(folder: Path) -> list[Picture]:
    if not folder.is_dir():
        raise DemoError(f"IMAGES={folder} is not a folder: name one that holds pictures")
    found = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.startswith(".")]
    if not found:
        raise DemoError(f"IMAGES={folder} holds no files: name a folder that holds pictures")
    return [Picture(path.relative_to(folder).as_posix(), path.read_bytes()) for path in found]


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
        kind = mimetypes.guess_type(picture.name)[0] or "application/octet-stream"
        bucket.put_object(Bucket=info.input_bucket, Key=picture.name, Body=picture.content, ContentType=kind)
    bars: dict[str, TaskID] = {}
    with httpx2.Client(base_url=info.api_url, timeout=30) as api:
        for job in jobs:
            _submit(api, job, receiver.url(f"/{job.operation}"))
            bars[job.operation] = progress.add_task(TITLES[job.operation], total=len(job.pictures), state="accepted")
        deadline = time.monotonic() + timeout
        while waiting := [job for job in jobs if job.received is None]:
            if time.monotonic() > deadline:
                names = ", ".join(f"{TITLES[job.operation]} {job.job_id}" for job in waiting)
                raise DemoError(f"no callback within {timeout:.0f} s for: {names}")
            for job in waiting:
                progress.update(bars[job.operation], **_news_of(api, receiver, job))
            time.sleep(0.15)


def _submit(api: httpx2.Client, job: Job, callback_url: str) -> None:
    body, route = {"prompt": PROMPT}, ROUTES[job.operation]
    if job.operation != "batch":
        picture = job.pictures[0]
        encoded = base64.b64encode(picture.content).decode()
        body |= {"filename": picture.name.rpartition("/")[2], "image_base64": encoded}
    job.submitted_at = time.time()
    answer = api.post(route, json=body, headers={"callbackUrl": callback_url})
    if answer.status_code != 202:
        raise DemoError(f"POST {route} was answered {answer.status_code}: {answer.text[:500]}")
    job.job_id = answer.json()["job_id"]


def _news_of(api: httpx2.Client, receiver: Receiver, job: Job) -> dict[str, Any]:
    """Note a job's callback when it has come; returns what its bar shows."""
    if found := receiver.received(f"/{job.operation}"):
        job.received = found[0]
        state = f"callback: {job.payload['status']} after {job.seconds:.1f} s"
        return {"completed": len(job.pictures), "state": state}
    status = api.get(f"/jobs/{job.job_id}").json()
    progress = status.get("progress") or {}
    return {"completed": progress.get("succeeded", 0) + progress.get("failed", 0), "state": str(status.get("status"))}


def _show_callbacks(console: Console, jobs: list[Job]) -> None:
    for job in jobs:
        payload = {name: _brief(value) for name, value in job.payload.items()}
        title = f"callback of the {TITLES[job.operation]}, after {job.seconds:.1f} s"
        shown = JSON.from_data(payload)
        shown.text.no_wrap, shown.text.overflow = False, "fold"
        console.print(Panel(shown, title=title, title_align="left", border_style="cyan"))


def _brief(value: Any) -> Any:
    if isinstance(value, str) and len(value) > 160:
        return f"{value[:48]}… ({len(value):,} characters)"
    return value
