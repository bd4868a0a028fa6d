"""Jobs, images and models as tables for people."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from imagejobs_cli.display import styled
from imagejobs_client import BatchImage, Job, JobSummary, Model

# Longer lists of images are cut: nobody reads ten thousand in a terminal.
_MAX_ROWS = 40
# Of an id so much is shown at least; more where two jobs of a list begin alike.
_SHORT_ID = 8
# Where an option of the command line has another name than the field of the API.
_FLAGS = {"output_format": "format", "output_compression": "compression"}


def print_jobs(console: Console, jobs: Sequence[JobSummary]) -> None:
    """List jobs."""
    table = _table("id", "operation", "status", "started", "took")
    ids = {job.job_id for job in jobs}
    length = _SHORT_ID
    while len({job_id[:length] for job_id in ids}) < len(ids):
        length += 1
    for job in jobs:
        took = duration((job.finished_at - job.created_at).total_seconds()) if job.finished_at else ""
        table.add_row(job.job_id[:length], job.operation, styled(job.status), ago(job.created_at), took)
    console.print(table)


def print_job(console: Console, job: Job) -> None:
    """Show one job: a line for each thing that is known."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in _facts(job):
        grid.add_row(name, value)
    console.print(grid)


def print_batch(console: Console, job: Job, images: Sequence[tuple[BatchImage, Path | None]]) -> None:
    """Show a batch's images, the failed ones first with their reasons, and its counts."""
    failed = [image for image, _ in images if image.status == "failed"]
    edited = [(image, path) for image, path in images if image.status != "failed"]
    for image in failed[:_MAX_ROWS]:
        console.print(f"[red]✗[/] {escape(image.file)}\n  [red]{escape(image.error or 'failed')}[/]", soft_wrap=True)
    if edited:
        rows = [_image(image, path) for image, path in edited[:_MAX_ROWS]]
        # Where nothing was fetched, there are notes at most.
        last = "result" if any(path for _, path in edited) else "note"
        columns = (
            ("image", "by", "took", "cost", last) if any(row[-1] for row in rows) else ("image", "by", "took", "cost")
        )
        table = _table(*columns)
        for row in rows:
            table.add_row(*row[: len(columns)])
        console.print(table)
    left = max(0, len(failed) - _MAX_ROWS) + max(0, len(edited) - _MAX_ROWS)
    if left:
        console.print(f"[dim]… and {left:,} more[/]")
    console.print(summary(job))


def summary(job: Job) -> str:
    """A batch's end in one line."""
    result = job.result
    if not result or result.total_files is None:
        return styled(job.status)
    parts = [f"[green]{result.processed or 0} edited[/]"]
    if result.failed:
        parts.append(f"[red]{result.failed} failed[/]")
    if result.fallback_local:
        parts.append(f"[yellow]{result.fallback_local} of them by the local fallback[/]")
    if result.duration_seconds is not None:
        parts.append(f"in {duration(result.duration_seconds)}")
    if job.usage and job.usage.cost_usd is not None:
        parts.append(f"about {dollars(job.usage.cost_usd)}")
    return " · ".join(parts)


def print_models(console: Console, models: Iterable[Model]) -> None:
    """List models with what each takes."""
    for model in models:
        default = " [dim](default)[/]" if model.default else ""
        console.print(f"[bold]{escape(model.name)}[/] · {escape(model.engine)}{default}")
        console.print(Padding(_takes(model), (0, 0, 1, 2)))


def duration(seconds: float) -> str:
    """A time span such as `4.2 s` or `3 min 5 s`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def dollars(usd: float) -> str:
    """An amount as the service tells it: whole cents from a dollar on, hundredths of a cent below."""
    if not usd:
        return "$0"
    return f"${usd:,.2f}" if usd >= 1 else f"${usd:.4f}"


def ago(moment: datetime) -> str:
    """How long ago something was, such as `5 min ago`."""
    seconds = max(0.0, (datetime.now(UTC) - moment).total_seconds())
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit} ago"
    return f"{int(seconds)} s ago"


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for column in columns:
        right = column in ("took", "cost")
        folds = column in ("image", "by", "result", "note")
        table.add_column(column, justify="right" if right else "left", no_wrap=not folds, overflow="fold")
    return table


def _image(image: BatchImage, path: Path | None) -> tuple[str, ...]:
    took = duration(image.ms / 1000) if image.ms is not None else ""
    cost = dollars(image.cost_usd) if image.cost_usd is not None else ""
    told = [escape(str(path))] if path else []
    told += [f"[yellow]{escape(image.note)}[/]"] if image.note else []
    return escape(image.file), escape(image.model or image.engine or ""), took, cost, "\n".join(told)


def _facts(job: Job) -> Iterable[tuple[str, str]]:
    yield "job", job.job_id
    yield "operation", job.operation
    yield "status", styled(job.status)
    yield "started", f"{_moment(job.created_at)} [dim]({ago(job.created_at)})[/]"
    if job.finished_at:
        took = duration((job.finished_at - job.created_at).total_seconds())
        yield "finished", f"{_moment(job.finished_at)} [dim](took {took})[/]"
    if job.waiting:
        yield "waiting", f"{escape(job.waiting.reason)} [dim](since {ago(job.waiting.since)})[/]"
    if job.progress:
        done = f"{job.progress.done} of {job.progress.total} done"
        yield "progress", f"{done}, {job.progress.failed} failed, {job.progress.running} at work"
    if job.result and job.result.total_files is not None and not job.estimate:
        yield "images", summary(job)
    if job.retry_of:
        yield "retry of", job.retry_of
    if job.reason:
        yield "error", f"[red]{escape(job.reason)}[/]"
    if job.note:
        yield "note", f"[yellow]{escape(job.note)}[/]"
    yield from _costs(job)
    if job.delivery:
        yield "callback", _delivered(job)


def _costs(job: Job) -> Iterable[tuple[str, str]]:
    if job.estimate:
        cost = f"about {dollars(job.estimate.cost_usd)}" if job.estimate.cost_usd is not None else "an unknown cost"
        yield "estimate", f"{job.estimate.images:,} images for {cost}"
    usage = job.usage
    if not usage:
        return
    for one in usage.images:
        yield "used", escape(f"{one.images} by {one.model or one.engine or 'an unknown model'}")
    if usage.cost_usd is not None:
        yield "cost", f"about {dollars(usage.cost_usd)}"


def _delivered(job: Job) -> str:
    delivery = job.delivery
    if not delivery or delivery.status == "not_requested":
        return "[dim]none was asked for[/]"
    text = f"{delivery.status.replace('_', ' ')} after {delivery.attempts} attempts"
    return escape(text + (f": {delivery.last_error}" if delivery.last_error else ""))


def _takes(model: Model) -> Table:
    """What a model takes, by the options of the command line."""
    rows = [(f"--{_FLAGS.get(name, name)}", _values(values)) for name, values in model.options.items()]
    if model.search:
        rows.append(("--search", "the thing in the picture to change"))
    if model.mask:
        rows.append(("--mask", "a picture"))
    if model.max_references:
        rows.append(("--reference", f"up to {model.max_references} pictures"))
    if model.needs:
        rows.append(("needs", ", ".join(model.needs)))
    if model.price and (price := _price(model.price)):
        rows.append(("price", price))
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column()
    for name, told in rows:
        grid.add_row(name, escape(told))
    return grid


def _price(price: dict[str, Any]) -> str:
    if "edit" in price:
        return f"${price['edit']:g} an edit"
    kinds = (("text in", "text_input"), ("pictures in", "image_input"), ("out", "output"))
    told = [f"${price[name]:g} {kind}" for kind, name in kinds if name in price]
    return f"{', '.join(told)}, a million tokens" if told else ""


def _values(values: Any) -> str:
    return ", ".join(str(one) for one in values) if isinstance(values, list | tuple) else str(values)


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"
