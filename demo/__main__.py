"""`make demo`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from demo.run import DemoError, run
from local.processes import StartError, unwind_on_signals

console = Console(emoji=False, highlight=False)


def main(
    images: Annotated[Path | None, typer.Option(envvar="IMAGES", help="A folder of pictures for the batch.")] = None,
) -> None:
    """Run the main job for real, and stop everything again."""
    unwind_on_signals()
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
