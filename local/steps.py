"""How a command tells its steps: in one line that changes, or, where there is no terminal, in a line each."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console


@contextmanager
def steps(console: Console) -> Iterator[Callable[[str], None]]:
    """Give the function that is to be called with each step."""
    if console.is_terminal:
        with console.status("starting") as status:
            yield status.update
    else:
        yield console.print
