"""`imagejobs batch`: every picture of a folder."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from unicodedata import category

from rich.markup import escape

from imagejobs_cli import tables
from imagejobs_cli.choices import Choices
from imagejobs_cli.contact_sheet import write_sheet
from imagejobs_cli.display import count_bar
from imagejobs_cli.following import end, follow, image_json, save_batch
from imagejobs_cli.session import Session, UsageError
from imagejobs_client import Job, JobFailedError
from imagejobs_client.pictures import HEAD_BYTES, image_type

SHEET = "contact-sheet.html"
# The service takes no larger upload.
_MAX_BYTES = 50_000_000
# Nor a longer name, with its folders: in characters, and in UTF-8.
_MAX_NAME = 255
_MAX_NAME_BYTES = 800
# What systems leave in folders. It is passed over without a line, as are names that begin with a dot.
_JUNK = {"thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "icon\r"}
_JUNK_FOLDERS = {"__macosx", "@eadir", "$recycle.bin", "system volume information"}


@dataclass(frozen=True)
class Order:
    """What is to be edited, and how."""

    folder: Path
    prompt: str
    choices: Choices
    dry_run: bool
    max_cost: float | None
    idempotency_key: str | None


@dataclass(frozen=True)
class Way:
    """Where results go, and how long they are waited for."""

    out: Path
    side_by_side: int
    timeout: float | None
    no_wait: bool


def run(session: Session, order: Order, way: Way) -> None:
    """Edit a folder's pictures and write the results."""
    if way.out.resolve() == order.folder.resolve():
        raise UsageError(f"the results would lie among the pictures of {order.folder}: choose another folder for --out")
    files, skipped = find_pictures(order.folder, way.out)
    if skipped:
        names = ", ".join(f"{name} ({why})" for name, why in islice(skipped.items(), 3))
        session.warn(f"left out: {names}{f' and {len(skipped) - 3} more' if len(skipped) > 3 else ''}")
    if not files:
        raise UsageError(f"there is no picture in {order.folder}")
    options = order.choices.upload(session)
    key, dry = order.idempotency_key, order.dry_run
    with count_bar(session, "uploading", len(files)) as bar:
        uploaded = session.client.upload_folder(
            files, side_by_side=way.side_by_side, idempotency_key=key, on_uploaded=lambda _name: bar.advance()
        )
    job_id = session.client.start_batch(
        uploaded, order.prompt, options, dry_run=dry, max_cost_usd=order.max_cost, idempotency_key=key
    )
    if way.no_wait:
        session.leave(job_id, skipped=skipped)
        return
    session.say(f"[dim]job {job_id}[/]")
    job = follow(session, job_id, "editing" if not dry else "estimating", way.timeout)
    if dry:
        _tell_estimate(session, job)
        return
    finish(session, job, way.out, way.side_by_side, before=files, skipped=skipped)


def finish(
    session: Session,
    job: Job,
    out: Path,
    side_by_side: int,
    *,
    before: dict[str, Path] | None = None,
    skipped: dict[str, str] | None = None,
) -> None:
    """Fetch a batch's results, write the contact sheet, show the table, and end with the batch's exit code."""
    if job.status not in ("completed", "completed_with_errors"):
        if session.json:
            session.answer({"job": job.raw})
        raise JobFailedError(job)
    saved = save_batch(session, job, out, side_by_side)
    sheet = write_sheet(_sheet(out, job), job, saved, before or {}) if saved else None
    if session.json:
        images = [image_json(one) for one in saved]
        session.answer({"job": job.raw, "images": images, "skipped": skipped or {}, "contact_sheet": str(sheet)})
    else:
        tables.print_batch(session.out, job, [(one.image, one.path) for one in saved])
        if sheet:
            session.out.print(f"contact sheet: {sheet}", soft_wrap=True)
        if job.status == "completed_with_errors":
            session.say(f"edit the failed ones again: imagejobs retry {job.job_id} --out {out}")
    end(job)


def find_pictures(folder: Path, out: Path) -> tuple[dict[str, Path], dict[str, str]]:
    """The pictures of a folder and its folders by their names in the batch, and why other files are left out."""
    files, skipped = {}, {}
    for path in _walk(folder, out.resolve()):
        name = path.relative_to(folder).as_posix()
        if why := _unfit(path, name):
            skipped[name] = why
        else:
            files[name] = path
    return files, skipped


def _walk(folder: Path, out: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        here = Path(root)
        # The results of an earlier run are not pictures to edit.
        folders[:] = sorted(
            one
            for one in folders
            if not one.startswith(".") and one.lower() not in _JUNK_FOLDERS and (here / one).resolve() != out
        )
        yield from (here / one for one in sorted(names) if not one.startswith(".") and one.lower() not in _JUNK)


def _unfit(path: Path, name: str) -> str | None:
    """Why a file cannot be sent: the service would refuse it, and the files that are asked for with it."""
    # Cs: bytes that are not UTF-8, as Python reads them from a folder.
    if any(category(one) in ("Cc", "Cs") for one in name):
        return "its name has control characters or is not UTF-8"
    if len(name) > _MAX_NAME or len(name.encode()) > _MAX_NAME_BYTES:
        return f"its name has more than {_MAX_NAME} characters or {_MAX_NAME_BYTES} bytes"
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            known = image_type(file.read(HEAD_BYTES))
    except OSError as error:
        return str(error.strerror)
    if not size:
        return "empty"
    if not known:
        return "not a picture"
    return f"over {_MAX_BYTES:,} bytes" if size > _MAX_BYTES else None


def _sheet(out: Path, job: Job) -> Path:
    """Where the contact sheet goes. A retry into the same folder leaves the first one as it is."""
    path = out / SHEET
    return path if not path.exists() else path.with_stem(f"{path.stem}-{job.job_id[:8]}")


def _tell_estimate(session: Session, job: Job) -> None:
    if not job.succeeded:
        raise JobFailedError(job)
    if session.json:
        session.answer({"job": job.raw})
    else:
        # The service's own line says as well when a bound would refuse the batch.
        for line in job.result.errors if job.result else ():
            session.out.print(escape(line), soft_wrap=True)
