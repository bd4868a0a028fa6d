"""`make bench`: measures imports, fallback, bursts, service and rate limits, and prints a JSON line for each figure."""

import json
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bench import batch_lists, burst, fallback, imports, job_list, rate_limit, service
from bench.figures import Figure

# Figures go to standard output, what goes on to standard error: `make bench > figures.jsonl` keeps the figures.
console = Console(stderr=True)


def main(
    images: Annotated[int, typer.Option(min=0, help="Measure the lists of a batch of so many images as well.")] = 0,
) -> None:
    """Measure everything; exits with 1 when a target is missed."""
    counts = (*batch_lists.COUNTS, images) if images else batch_lists.COUNTS
    missed: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        for title, figures in (
            ("what a cold start imports", imports.measure()),
            ("the local fallback against the plain way", fallback.measure()),
            ("the lists of large batches", batch_lists.measure(counts)),
            ("a list of many jobs", job_list.measure()),
            ("a first burst on the embedded AWS", burst.measure(Path(folder) / "burst")),
            ("the service on the embedded AWS", service.measure(Path(folder) / "service")),
            ("how well a rate limit is used on the embedded AWS", rate_limit.measure(Path(folder) / "rate-limit")),
        ):
            console.print(f"measuring {title} …")
            for figure in figures:
                print(json.dumps(figure.row()), flush=True)  # noqa: T201
                missed += [] if figure.reached else [figure]
    if missed:
        console.print(f"{len(missed)} missed: {'; '.join(figure.name for figure in missed)}")
        raise typer.Exit(1)
    console.print("every target was reached")


if __name__ == "__main__":
    typer.run(main)
