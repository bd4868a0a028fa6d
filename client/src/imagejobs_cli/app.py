"""The commands of `imagejobs`, and what each takes. What they do is imported when one runs."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from imagejobs_cli.exits import Exit
from imagejobs_cli.options import (
    Address,
    AsJson,
    AskKey,
    JobID,
    Key,
    KeyFile,
    Mask,
    NoWait,
    Out,
    References,
    SideBySide,
    Timeout,
    command,
)
from imagejobs_cli.session import Session

app = typer.Typer(
    name="imagejobs",
    help="Edit one picture, or a whole folder, as a prompt says.",
    epilog="Start with `imagejobs login`, then `imagejobs doctor`. Exit codes: docs/command-line.md.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # Plain help: typer's framed one costs a fifth of a second.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
Prompt = Annotated[str, typer.Argument(help="What to do, in plain words.", metavar="PROMPT")]
JOB_STATES = "queued, running, completed, completed_with_errors, failed, cancelled or erased"


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"imagejobs {version('wxo-image-jobs-client')}")
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    address: Address = None,
    key_file: KeyFile = None,
    ask_key: AskKey = False,
    json: AsJson = False,
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")] = False,
) -> None:
    context.obj = {"address": address, "key_file": key_file, "ask_key": ask_key, "json": json}


@command(app, "edit", edit_options=True)
def edit(
    session: Session,
    picture: Annotated[str, typer.Argument(help="A file, an https URL, or - for stdin.", metavar="PICTURE")],
    prompt: Prompt,
    options: dict[str, object],
    out: Out = None,
    mask: Mask = None,
    reference: References = None,
    timeout: Timeout = None,
    no_wait: NoWait = False,
    idempotency_key: Key = None,
) -> None:
    """Edit one picture.

    The result goes to --out, or to NAME-edited.png in this folder; --out - writes it to stdout.
    """
    from imagejobs_cli import editing
    from imagejobs_cli.choices import Choices

    choices = Choices(options, mask, tuple(reference or ()))
    order = editing.Order(picture, prompt, choices, idempotency_key)
    editing.run(session, order, out, timeout, no_wait)


@command(app, "batch", edit_options=True)
def batch(
    session: Session,
    folder: Annotated[
        Path, typer.Argument(help="A folder with pictures.", exists=True, file_okay=False, metavar="FOLDER")
    ],
    prompt: Prompt,
    options: dict[str, object],
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder for the results.", metavar="FOLDER")] = Path(
        "results"
    ),
    mask: Mask = None,
    reference: References = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Upload and estimate the cost; edit nothing, pay nothing.")
    ] = False,
    max_cost: Annotated[
        float | None, typer.Option(min=0.01, help="Edit nothing if the estimate is above this.", metavar="USD")
    ] = None,
    side_by_side: SideBySide = 8,
    timeout: Timeout = None,
    no_wait: NoWait = False,
    idempotency_key: Key = None,
) -> None:
    """Edit every picture of a folder.

    Uploads them, shows progress, fetches the results and writes a contact sheet (contact-sheet.html).
    """
    from imagejobs_cli import batching
    from imagejobs_cli.choices import Choices

    choices = Choices(options, mask, tuple(reference or ()))
    order = batching.Order(folder, prompt, choices, dry_run, max_cost, idempotency_key)
    batching.run(session, order, batching.Way(out, side_by_side, timeout, no_wait))


@command(app, "jobs")
def jobs(
    session: Session,
    status: Annotated[str | None, typer.Option(help=f"Only those that are {JOB_STATES}.", metavar="STATUS")] = None,
    operation: Annotated[str | None, typer.Option(help="Only base64, url or batch jobs.", metavar="OPERATION")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many jobs at most.", metavar="N")] = 20,
) -> None:
    """List your jobs, newest first."""
    from imagejobs_cli import seeing

    seeing.list_jobs(session, status, operation, limit)


@command(app, "show")
def show(session: Session, job: JobID) -> None:
    """Show a job as it stands, with a batch's images."""
    from imagejobs_cli import seeing

    seeing.show(session, job)


@command(app, "watch")
def watch(session: Session, job: JobID, out: Out = None, side_by_side: SideBySide = 8, timeout: Timeout = None) -> None:
    """Follow a job to its end; with --out, fetch its result."""
    from imagejobs_cli import seeing

    seeing.watch(session, job, out, side_by_side, timeout)


@command(app, "cancel")
def cancel(session: Session, job: JobID) -> None:
    """Cancel a job: no further image is paid for."""
    from imagejobs_cli import steering

    steering.cancel(session, job)


@command(app, "retry")
def retry(
    session: Session,
    job: JobID,
    out: Out = None,
    side_by_side: SideBySide = 8,
    timeout: Timeout = None,
    no_wait: NoWait = False,
    idempotency_key: Key = None,
) -> None:
    """Edit a batch's failed images again, as a new job."""
    from imagejobs_cli import steering

    steering.retry(session, job, out, side_by_side, timeout, no_wait, idempotency_key)


@command(app, "redeliver")
def redeliver(session: Session, job: JobID) -> None:
    """Send a job's callback again."""
    from imagejobs_cli import steering

    steering.redeliver(session, job)


@command(app, "models")
def models(session: Session) -> None:
    """List the models, and what each takes."""
    from imagejobs_cli import service

    service.models(session)


@command(app, "doctor")
def doctor(session: Session) -> None:
    """Check address, key, service and clock."""
    from imagejobs_cli import service

    service.doctor(session)


@command(app, "login")
def login(session: Session) -> None:
    """Keep the address and the API key in your config file."""
    from imagejobs_cli import service

    service.login(session)


def main() -> None:
    """Run the command line."""
    try:
        app()
    except BrokenPipeError:  # whoever read our output has enough
        sys.stderr.close()
        sys.exit(Exit.ERROR)
