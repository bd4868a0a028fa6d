"""`imagejobs edit`: one picture."""

import sys
from dataclasses import dataclass
from pathlib import Path

from imagejobs_cli.choices import Choices
from imagejobs_cli.display import bytes_bar
from imagejobs_cli.following import end, follow, save_picture
from imagejobs_cli.session import Session, UsageError
from imagejobs_cli.tables import dollars
from imagejobs_client import EditOptions, JobFailedError
from imagejobs_client.submissions import POSTED_BYTES

# The output type that a file's suffix asks for. PNG is the services' default, and the only type that every model has.
_FORMATS = {".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp"}


@dataclass(frozen=True)
class Order:
    """What is to be edited, and how."""

    picture: str
    prompt: str
    choices: Choices
    idempotency_key: str | None


def run(session: Session, order: Order, out: Path | None, timeout: float | None, no_wait: bool) -> None:
    """Edit one picture and write the result."""
    picture = _read(order.picture)
    if out and isinstance(picture, Path) and out.exists() and out.samefile(picture):
        raise UsageError(f"the result would overwrite {picture}: choose another name for --out")
    options = order.choices.upload(session, _FORMATS.get(out.suffix.lower()) if out else None)
    job_id = _start(session, order, picture, options)
    if no_wait:
        session.leave(job_id)
        return
    title = picture.name if isinstance(picture, Path) else "the picture"
    job = follow(session, job_id, title, timeout)
    if not job.succeeded:
        if session.json:
            session.answer({"job": job.raw})
        raise JobFailedError(job)
    if str(out) == "-":
        sys.stdout.buffer.write(session.client.result(job))
        return
    path = save_picture(session, job, out or _beside(picture))
    if job.note:
        session.warn(job.note)
    if session.json:
        session.answer({"job": job.raw, "path": str(path)})
    else:
        cost = f" · about {dollars(job.usage.cost_usd)}" if job.usage and job.usage.cost_usd is not None else ""
        session.out.print(f"[green]✓[/] {path}{cost}", soft_wrap=True)
    end(job)


def _read(picture: str) -> Path | bytes | str:
    if picture == "-":
        return sys.stdin.buffer.read()
    if picture.startswith("https://"):
        return picture
    path = Path(picture)
    if not path.is_file():
        raise UsageError(f"there is no file {picture}")
    return path


def _start(session: Session, order: Order, picture: Path | bytes | str, options: EditOptions) -> str:
    client, key = session.client, order.idempotency_key
    size = picture.stat().st_size if isinstance(picture, Path) else len(picture)
    if isinstance(picture, str) or size <= POSTED_BYTES:
        return client.start_edit(picture, order.prompt, options, idempotency_key=key)
    with bytes_bar(session, "uploading", size) as bar:
        return client.start_edit(picture, order.prompt, options, idempotency_key=key, on_bytes=bar.advance)


def _beside(picture: Path | bytes | str) -> Path:
    """A name of its own for the result, in the current folder; its suffix comes with the result's type."""
    stem = Path(picture.partition("?")[0]).stem if isinstance(picture, str) else ""
    stem = picture.stem if isinstance(picture, Path) else stem or "picture"
    return Path(f"{stem}-edited")
