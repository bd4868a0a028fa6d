"""`make demo`."""

from pathlib import Path
from typing import Annotated

import httpx2
import typer
from rich.console import Console
from rich.markup import escape

from demo.jobs import DemoError
from demo.run import run
from imagejobs_client import ImageJobsError
from local.processes import StartError, unwind_on_signals

console = Console(emoji=False, highlight=False)


def main(
    images: Annotated[Path | None, typer.Option(envvar="IMAGES", help="A folder of pictures for the jobs.")] = None,
    keep: Annotated[bool, typer.Option(envvar="KEEP", help="Leave the stack up until Ctrl-C or `make down`.")] = False,
    state_dir: Annotated[Path | None, typer.Option(envvar="STATE_DIR", help="Where logs and records go.")] = None,
) -> None:
    """Run the main job for real, and stop everything again."""
    unwind_on_signals()
    try:
        run(console, images, keep=keep, state_dir=state_dir)
    except (StartError, DemoError, ImageJobsError, httpx2.HTTPError) as error:
        console.print(f"[bold red]the demo failed:[/] {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        console.print("stopped: nothing is left running")
        raise typer.Exit(130) from None


if __name__ == "__main__":
    typer.run(main)
