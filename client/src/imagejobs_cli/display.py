"""What a person sees while something is under way: bars on a terminal, a line now and then elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from rich.filesize import decimal
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from imagejobs_cli.session import Session

if TYPE_CHECKING:
    from imagejobs_client import Job
    from imagejobs_client import Progress as Counts

# Where stderr goes to a file or a pipe, a line of progress is written this often at most.
_LINE_SECONDS = 10
STYLES = {
    "completed": "green",
    "completed_with_errors": "yellow",
    "failed": "red",
    "cancelled": "magenta",
    "erased": "dim",
    "running": "cyan",
    "queued": "blue",
}


def styled(status: str) -> str:
    """A status in its colour, in plain English."""
    return f"[{STYLES.get(status, 'white')}]{escape(status.replace('_', ' '))}[/]"


class Bar(Protocol):
    """A step under way."""

    def advance(self, steps: int = 1) -> None:
        """Tell that so many more are done."""

    def show(self, job: "Job") -> None:
        """Show a job as it stands."""


class _Rate(ProgressColumn):
    """Images a second, from the beginning of the step."""

    def render(self, task: Task) -> Text:
        took = task.finished_time or task.elapsed
        return Text(f"{task.completed / took:.1f}/s" if took and task.completed else "", style="dim")


class _TerminalBar:
    """A bar on a terminal. What is shown never goes backwards: the client keeps the newest reading."""

    def __init__(self, progress: Progress, title: str, total: int | None) -> None:
        self._progress = progress
        self._task = progress.add_task(escape(title), total=total, note="")

    def advance(self, steps: int = 1) -> None:
        self._progress.advance(self._task, steps)

    def show(self, job: "Job") -> None:
        note = styled(job.status)
        if job.waiting:
            note = f"[yellow]{escape(job.waiting.reason)}[/]"
        counts = job.progress
        if counts and not job.ended:
            note = _counted(counts)
            self._progress.update(self._task, total=counts.total, completed=counts.done)
        elif job.result and job.result.total_files is not None:
            total = job.result.total_files
            self._progress.update(self._task, total=total or 1, completed=total or 1)
        elif job.ended:
            self._progress.update(self._task, total=1, completed=1)
        self._progress.update(self._task, note=note)


class _Lines:
    """Lines for a log file: of each new status at once, of counts now and then."""

    def __init__(self, session: Session, title: str, total: int | None, told: Callable[[int], str]) -> None:
        self._session = session
        self._title = title
        self._total = total
        self._told = told
        self._done = 0
        self._status = ""
        self._written_at = time.monotonic()

    def advance(self, steps: int = 1) -> None:
        self._done += steps
        # The end of a file is a step of 0 bytes.
        if self._total and ((steps and self._done == self._total) or self._is_time()):
            self._write(f"{self._told(self._done)} of {self._told(self._total)}")

    def show(self, job: "Job") -> None:
        if job.status != self._status or self._is_time():
            self._status = job.status
            counts = f", {job.progress.done} of {job.progress.total} done" if job.progress else ""
            self._write(f"{job.status.replace('_', ' ')}{counts}")

    def _is_time(self) -> bool:
        return time.monotonic() - self._written_at >= _LINE_SECONDS

    def _write(self, text: str) -> None:
        self._written_at = time.monotonic()
        self._session.say(f"{escape(self._title)}: {escape(text)}")


def _counted(counts: "Counts") -> str:
    parts = [f"[red]{counts.failed} failed[/]"] if counts.failed else []
    parts += [f"{counts.running} at work"] if counts.running else []
    return " · ".join(parts)


@contextmanager
def job_bar(session: Session, title: str) -> Iterator[Bar]:
    """A bar for a job: its status, and a batch's counts, rate and time."""
    columns = (BarColumn(bar_width=24), _CountColumn(), _Rate(), TimeElapsedColumn(), TextColumn("{task.fields[note]}"))
    with _bar(session, title, None, columns) as bar:
        yield bar


@contextmanager
def count_bar(session: Session, title: str, total: int) -> Iterator[Bar]:
    """A bar for so many files."""
    with _bar(
        session, title, total, (BarColumn(bar_width=24), MofNCompleteColumn(), _Rate(), TimeElapsedColumn())
    ) as bar:
        yield bar


@contextmanager
def bytes_bar(session: Session, title: str, total: int) -> Iterator[Bar]:
    """A bar for the bytes of one large file."""
    columns = (BarColumn(bar_width=24), DownloadColumn(), TransferSpeedColumn())
    with _bar(session, title, total, columns, told=decimal) as bar:
        yield bar


class _CountColumn(MofNCompleteColumn):
    """The counts of a batch; nothing for one picture."""

    def render(self, task: Task) -> Text:
        return super().render(task) if task.total and task.total > 1 else Text("")


@contextmanager
def _bar(
    session: Session,
    title: str,
    total: int | None,
    columns: tuple[ProgressColumn, ...],
    told: Callable[[int], str] = str,
) -> Iterator[Bar]:
    if not session.err.is_terminal:
        yield _Lines(session, title, total, told)
        return
    head = (SpinnerColumn(finished_text="[green]✓[/]"), TextColumn("{task.description}"))
    with Progress(*head, *columns, console=session.err) as progress:
        yield _TerminalBar(progress, title, total)
