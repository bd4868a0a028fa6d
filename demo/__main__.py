"""`make demo`."""

import signal
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from demo.run import DemoError, run
from local.processes import StartError

console = Console(emoji=False, highlight=False)


def main(
    images: Annotated[Path | None, typer.Option(envvar="IMAGES", help="A folder of pictures for the batch.")] = None,
) -> None:
    """Run the main job for real, and stop everything again."""
    # As Ctrl-C does, the end of the terminal or a kill unwinds the stack, which stops what was started.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _: sys.exit(128 + received))
    try:
        run(console, images)
    except (StartError, DemoError) as error:
        console.print(f"[bold red]the demo failed:[/] {error}", soft_wrap=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        console.print("stopped; nothing runs on")
        raise typer.Exit(130) from None


if __name__ == "__main__":
    typer.run(main)
