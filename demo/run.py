"""The main job for real: single jobs and a batch, from pictures to callbacks and a contact sheet."""

import base64
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
from rich.console import Console
from rich.json import JSON
from rich.markup import escape
from rich.panel import Panel
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn

from demo import contact_sheet
from demo.jobs import FOLDER, OTHER_MODELS, DemoError, Job, Picture, plan
from demo.outcomes import SHOWN, Outcome, outcomes_of, table_of, total_cost
from imagejobs_client import Client, Connection
from imagejobs_client.submissions import POSTED_BYTES
from local import processes
from local.stack import STATE_DIR, EmbeddedStack, Options, Ports, openai_server
from standins.receiver import Receiver

# Each worker that is started costs a second of a processor.
_AT_ONCE = 4
# Seconds until all callbacks have come: some for the start, and so many for each picture.
_START = 90.0
_EACH_STAND_IN, _EACH_OPENAI = 5.0, 120.0


def run(console: Console, images: Path | None, *, keep: bool = False, state_dir: Path | None = None) -> None:
    """Run the demo, with its results in `.local/demo/`; with `keep` its stack is up until Ctrl-C or `make down`."""
    options = _options(state_dir or (STATE_DIR if keep else FOLDER / "state"))
    if keep and any(one.alive() for one in processes.recorded(options.state_dir / "processes.json")):
        raise DemoError("a stack is up already, which KEEP=1 would take the place of: make down, then once more")
    jobs, left_out = plan(images, with_stand_ins=options.uses_stand_in)
    console.print(_notice(options))
    _tell_left_out(console, left_out)
    with _progress(console) as progress, Receiver() as receiver:
        stage = progress.add_task("embedded AWS", total=None, state="starting")
        with _up(options, progress, stage) as stack, Client(Connection(address=stack.info.api_url)) as client:
            _submit_all(client, receiver, jobs, progress)
            _wait(client, receiver, jobs, progress, _EACH_STAND_IN if options.uses_stand_in else _EACH_OPENAI)
            stand_ins = options.uses_stand_in
            outcomes = [one for job in jobs for one in outcomes_of(client, job, stand_ins=stand_ins)]
            progress.stop()
            _show(console, options, jobs, outcomes)
            if keep:
                _stay(console, f"{stack.info.api_url}/console", options)
    if keep:
        console.print("stopped: nothing is left running")
    else:
        console.print("the page where you drive it yourself: [bold]make demo KEEP=1[/], which ends with its address")


def _tell_left_out(console: Console, left_out: dict[str, str]) -> None:
    if left_out:
        some = ", ".join(f"{name} ({why})" for name, why in list(left_out.items())[:5])
        more = f" and {len(left_out) - 5} more" if len(left_out) > 5 else ""
        console.print(f"[yellow]left out:[/] {escape(some)}{more}", soft_wrap=True)


def _options(state_dir: Path) -> Options:
    key = os.environ.get("OPENAI_API_KEY", "")
    server = openai_server(os.environ.get("OPENAI_BASE_URL", ""), key)
    models = ["local", *([] if server else OTHER_MODELS)]
    return Options(
        parameters={"MaxConcurrentJobs": str(_AT_ONCE), "AllowedModels": ",".join(models)},
        ports=Ports.free(),
        state_dir=state_dir,
        openai_base_url=server,
        openai_api_key=key,
        with_receiver=False,
    )


@contextmanager
def _up(options: Options, progress: Progress, stage: TaskID) -> Iterator[EmbeddedStack]:
    """Have the stack up, and stop it again unless that has been done: what runs then is another's."""
    stack = EmbeddedStack(options, report=lambda step: _update(progress, stage, step))
    stack.up()
    started = processes.recorded(options.state_dir / "processes.json")
    _update(progress, stage, f"up at {stack.endpoint}", total=1, completed=1)
    try:
        yield stack
    finally:
        if any(one.alive() for one in started):
            stack.down()


def _stay(console: Console, page: str, options: Options) -> None:
    """Tell where the stack is, until Ctrl-C comes or it is stopped from elsewhere."""
    started = processes.recorded(options.state_dir / "processes.json")
    console.print(f"\nthe page: [bold]{page}[/]", soft_wrap=True)
    console.print("It is up until [bold]Ctrl-C[/] here, or [bold]make down[/] in another terminal.")
    try:
        while any(one.alive() for one in started):
            time.sleep(0.25)
    except KeyboardInterrupt:
        console.print()


def _notice(options: Options) -> Panel:
    if options.uses_stand_in:
        text = (
            "[bold]STAND-INS MAKE THESE EDITS, NOT OPENAI, AMAZON BEDROCK OR GOOGLE GEMINI.[/] They repaint "
            "each picture by simple filters and write the prompt below it. Costs are by the engines' price lists.\n"
            "Set OPENAI_API_KEY to have OpenAI itself make the edits (that costs money)."
        )
        return Panel(text, style="black on yellow", expand=True)
    if options.uses_openai:
        text = "[bold]OpenAI itself makes these edits[/], and each is paid by the owner of OPENAI_API_KEY."
    else:
        text = f"[bold]The server of OPENAI_BASE_URL makes these edits[/], at {options.openai_base_url}"
    return Panel(text, style="black on green")


def _progress(console: Console) -> Progress:
    return Progress(
        SpinnerColumn(finished_text="[green]✓"),
        TextColumn("{task.description:<12}"),
        BarColumn(bar_width=16),
        TextColumn("[dim]{task.fields[state]}"),
        console=console,
    )


def _update(progress: Progress, bar: TaskID, state: str, **changes: Any) -> None:
    """Bring a bar up to date; where there is no terminal, and bars are drawn at the end alone, tell news in a line."""
    task = next(one for one in progress.tasks if one.id == bar)
    if not progress.console.is_terminal and task.fields["state"] != state:
        progress.console.print(f"{task.description}: {state}")
    progress.update(bar, state=state, **changes)


def _submit_all(client: Client, receiver: Receiver, jobs: list[Job], progress: Progress) -> None:
    """Upload what is to be uploaded, and post the jobs."""
    batch = jobs[-1]
    files = {picture.name: picture.path for picture in batch.pictures}
    large = [job.pictures[0] for job in jobs[:-1] if _is_large(job.pictures[0])]
    total = sum(path.stat().st_size for path in (*files.values(), *(picture.path for picture in large)))
    bar = progress.add_task("upload", total=total, state=f"{total / 1e6:,.1f} MB")

    def on_bytes(sent: int) -> None:
        progress.advance(bar, sent)

    with httpx2.Client(base_url=client.connection.address, timeout=60) as api:
        for job in jobs[:-1]:
            _post(api, receiver, job, _image_of(client, job.pictures[0], on_bytes))
        _post(api, receiver, batch, {"folder": client.upload_folder(files, side_by_side=4, on_bytes=on_bytes)})


def _is_large(picture: Picture) -> bool:
    return picture.path.stat().st_size > POSTED_BYTES


def _image_of(client: Client, picture: Picture, on_bytes: Any) -> dict[str, str]:
    """The fields that carry a single job's picture: in the request, or as an upload where it is too large for one."""
    named = {"filename": picture.path.name}
    if _is_large(picture):
        return named | {"image_key": client.upload(picture.path, on_bytes=on_bytes)}
    return named | {"image_base64": base64.b64encode(picture.path.read_bytes()).decode()}


def _post(api: httpx2.Client, receiver: Receiver, job: Job, fields: dict[str, str]) -> None:
    body = {"prompt": job.prompt, **({"model": job.model} if job.model else {}), **fields}
    job.submitted_at = time.time()
    answer = api.post(job.route, json=body, headers={"callbackUrl": receiver.url(job.callback_path)})
    if answer.status_code != 202:
        raise DemoError(f"POST {job.route} was answered {answer.status_code}: {answer.text[:500]}")
    job.job_id = answer.json()["job_id"]


def _wait(client: Client, receiver: Receiver, jobs: list[Job], progress: Progress, each: float) -> None:
    """Wait for the jobs' callbacks."""
    bars = {job.title: progress.add_task(job.title, total=len(job.pictures), state="accepted") for job in jobs}
    seconds = _START + each * sum(len(job.pictures) for job in jobs)
    deadline = time.monotonic() + seconds
    while waiting := [job for job in jobs if job.received is None]:
        if time.monotonic() > deadline:
            names = ", ".join(f"{job.title} {job.job_id}" for job in waiting)
            raise DemoError(f"no callback within {seconds:.0f} s for: {names}")
        for job in waiting:
            state, completed = _news_of(client, receiver, job)
            _update(progress, bars[job.title], state, completed=completed)
        time.sleep(0.15)


def _news_of(client: Client, receiver: Receiver, job: Job) -> tuple[str, int | None]:
    """Note a job's callback when it has come; returns what its bar shows: the state, and how many images are done."""
    if found := receiver.received(job.callback_path):
        job.received = found[0]
        return f"callback: {job.payload['status']} after {job.seconds:.1f} s", len(job.pictures)
    told = client.job(job.job_id)
    return told.status, told.progress.done if told.progress else None


def _show(console: Console, options: Options, jobs: list[Job], outcomes: list[Outcome]) -> None:
    """Print the callbacks and the table, and write the contact sheet."""
    for job in jobs:
        payload = {name: _brief(value) for name, value in job.payload.items()}
        title = f"callback of the {job.title}, after {job.seconds:.1f} s"
        shown = JSON.from_data(payload)
        shown.text.no_wrap, shown.text.overflow = False, "fold"
        console.print(Panel(shown, title=title, title_align="left", border_style="cyan"))
    console.print(table_of(outcomes))
    console.print(_notice(options))
    path = FOLDER / "contact-sheet.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    subtitle = _subtitle(options, jobs[-1], outcomes)
    contact_sheet.draw("wxo-image-jobs: before and after", subtitle, outcomes[:SHOWN]).save(path)
    console.print(f"contact sheet: [bold]{path}[/]", soft_wrap=True)


def _subtitle(options: Options, batch: Job, outcomes: list[Outcome]) -> str:
    if options.uses_stand_in:
        editor = "stand-ins for OpenAI, Amazon Bedrock and Google Gemini made these edits"
    else:
        editor = f"edited by {options.openai_base_url}"
    count = f"{SHOWN} of {len(outcomes)} images" if len(outcomes) > SHOWN else f"{len(outcomes)} images"
    done = f"batch of {len(batch.pictures)} in {batch.seconds:.1f} s"
    return f"{editor}  ·  {count}  ·  {done}  ·  ${total_cost(outcomes):.2f} by the price lists"


def _brief(value: Any) -> Any:
    if isinstance(value, str) and len(value) > 160:
        return f"{value[:48]}… ({len(value):,} characters)"
    return value
