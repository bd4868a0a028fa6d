"""One run of the command line: who is called, where is written, and how it ends."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagejobs_cli.exits import Exit, exit_of

if TYPE_CHECKING:
    from rich.console import Console

    from imagejobs_client import Client, Connection


class UsageError(Exception):
    """The command cannot be meant so."""


@dataclass
class Session:
    """What every command has: a client made on first use, results to stdout, everything else to stderr.

    `started` is the job that goes on when this run is interrupted, unless it has `ended`.
    """

    address: str | None = None
    key_file: str | None = None
    ask_key: bool = False
    json: bool = False
    started: str | None = None
    ended: bool = False
    _closing: list[Callable[[], None]] = field(default_factory=list)

    @cached_property
    def out(self) -> "Console":
        """Where results go."""
        from rich.console import Console

        return Console(highlight=False)

    @cached_property
    def err(self) -> "Console":
        """Where progress, hints and errors go."""
        from rich.console import Console

        return Console(stderr=True, highlight=False)

    @cached_property
    def connection(self) -> "Connection":
        """The service to call."""
        from imagejobs_client import find_connection

        connection = find_connection(self.address, api_key=self.given_key())
        for warning in connection.warnings:
            self.warn(warning)
        return connection

    @cached_property
    def client(self) -> "Client":
        """The client of the service."""
        from imagejobs_client import Client

        client = Client(self.connection)
        self._closing.append(client.close)
        return client

    def given_key(self) -> str | None:
        """The key that this run was given by --key-file, by stdin or at the prompt."""
        from imagejobs_client import ConnectionSettingsError

        if self.ask_key:
            import getpass

            return getpass.getpass("API key: ", stream=sys.stderr).strip() or None
        if not self.key_file:
            return None
        try:
            key = sys.stdin.read() if self.key_file == "-" else Path(self.key_file).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise ConnectionSettingsError(f"the key cannot be read: {error}") from error
        if not key.strip() or "\n" in key.strip():
            raise ConnectionSettingsError("expected one line with the key")
        return key.strip()

    def say(self, text: str) -> None:
        """Tell a person something on stderr."""
        self.err.print(text, soft_wrap=True)

    def warn(self, text: str) -> None:
        """Tell a person on stderr what may be wrong."""
        from rich.markup import escape

        self.say(f"[yellow]note:[/] {escape(text)}")

    def fail(self, text: str) -> None:
        """Tell a person on stderr why this run failed."""
        from rich.markup import escape

        self.say(f"[red]error:[/] {escape(text)}")

    def answer(self, value: Any) -> None:
        """Write a script's result to stdout, as JSON."""
        sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")

    def leave(self, job_id: str, **more: Any) -> None:
        """End a run that does not wait for its job: write the id."""
        if self.json:
            self.answer({"job_id": job_id, **more})
        else:
            self.out.print(job_id)

    def close(self) -> None:
        """Close what was opened."""
        for close in self._closing:
            close()


@contextmanager
def ending(session: Session) -> Iterator[None]:
    """Turn errors and Ctrl-C into messages and exit codes."""
    from imagejobs_client import APIError, ImageJobsError, JobFailedError

    try:
        yield
    except KeyboardInterrupt:
        session.say("\n[yellow]interrupted[/]")
        _tell_of_job(session)
        raise SystemExit(Exit.INTERRUPTED) from None
    except ImageJobsError as error:
        session.fail(str(error))
        if isinstance(error, APIError) and error.correlation_id:
            session.say(f"[dim]HTTP {error.status}; the service's log has it as {error.correlation_id}[/]")
        if session.started and not isinstance(error, JobFailedError):
            _tell_of_job(session)
        raise SystemExit(exit_of(error)) from None
    except UsageError as error:
        session.fail(str(error))
        raise SystemExit(Exit.USAGE) from None
    except OSError as error:
        session.fail(str(error))
        if session.started:
            _tell_of_job(session)
        raise SystemExit(Exit.ERROR) from None
    finally:
        session.close()


def _tell_of_job(session: Session) -> None:
    """Say where the job is to be found that this run has left."""
    if not session.started:
        session.say("`imagejobs jobs` lists the jobs that were started")
    elif session.ended:
        session.say("the job has ended, and its result is kept")
        session.say(f"  fetch it:   imagejobs watch {session.started} --out PATH")
    else:
        session.say(f"the job {session.started} goes on without this command")
        session.say(f"  come back:  imagejobs watch {session.started}")
        session.say(f"  stop it:    imagejobs cancel {session.started}")
