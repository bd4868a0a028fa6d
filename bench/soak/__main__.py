"""`make soak`: a thousand jobs with random faults and killed workers, and what became of each."""

import os
import random
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table

from bench.soak.run import Progress, Soak, SoakError
from bench.soak.verdict import Row, judge
from local.deployment import ROOT
from local.processes import StartError, unwind_on_signals

PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- make soak writes from here -->\n", "<!-- to here -->\n"

console = Console(emoji=False, highlight=False)


def main(
    jobs: Annotated[int, typer.Option(min=1, help="How many jobs.")] = 1000,
    seed: Annotated[int | None, typer.Option(help="That of an earlier soak, for the same jobs and faults.")] = None,
    kills: Annotated[float, typer.Option(min=0, help="Workers killed a second, in the mean.")] = 1,
    state_dir: Annotated[Path, typer.Option(help="Where logs are kept.")] = ROOT / ".local" / "soak",
    write: Annotated[bool, typer.Option("--write", help="Write the figures into docs/reliability.md.")] = False,
) -> None:
    """Soak a stack of its own; ends with 1 unless every job ended once and as it should."""
    unwind_on_signals()
    seed = random.randrange(1_000_000) if seed is None else seed
    command = f"make soak JOBS={jobs} SEED={seed} KILLS={kills:g}"
    console.print(command)
    began = time.monotonic()
    # Where there is no terminal, no line can change: each is told anew.
    progress = Progress() if console.is_terminal else Progress(tell=console.print)
    soak = Soak(jobs, seed, kills, state_dir, progress)
    try:
        with Live(
            get_renderable=lambda: f"{soak.progress} · {time.monotonic() - began:.0f} s",
            console=console,
            transient=True,
        ):
            stories = soak.run()
    except (StartError, SoakError) as error:
        console.print(f"[bold red]the soak failed:[/] {error}", soft_wrap=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        console.print("stopped: nothing is left running")
        raise typer.Exit(130) from None
    rows = judge(stories, soak.progress.kills)
    minutes = (time.monotonic() - began) / 60
    _show(rows, minutes)
    if write:
        machine = f"{os.cpu_count()} processors at a load of {os.getloadavg()[1]:.0f}"
        _write(rows, f"`{command}`, {datetime.now(UTC):%Y-%m-%d}: {minutes:.1f} minutes on {machine}")
    if len(stories) < jobs or not all(row.kept for row in rows):
        console.print(f"[bold red]not as it must be[/]; the same again: {command}")
        raise typer.Exit(1)
    console.print("[green]as it must be[/]: every job ended once")


def _show(rows: list[Row], minutes: float) -> None:
    table = Table("figure", "value", "must be", title=f"{minutes:.1f} minutes")
    for row in rows:
        style = None if row.kept else "bold red"
        table.add_row(row.name, f"{row.value:,}", "" if row.most is None else f"{row.most:,}", style=style)
    console.print(table)


def _write(rows: list[Row], told: str) -> None:
    """Put the figures in the place of earlier ones."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    lines = [f"| {row.name} | {row.value:,} | {'' if row.most is None else row.most} |\n" for row in rows]
    table = "".join(["| figure | value | must be |\n|---|---:|---:|\n", *lines])
    PAGE.write_text(f"{before}{BEGIN}{told}:\n\n{table}{END}{after}")


if __name__ == "__main__":
    typer.run(main)
