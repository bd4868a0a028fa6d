"""Following a job to its end, and fetching what it made."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagejobs_cli.display import count_bar, job_bar
from imagejobs_cli.exits import Exit
from imagejobs_cli.session import Session
from imagejobs_client.pictures import suffix_of
from imagejobs_client.transfers import numbered

if TYPE_CHECKING:
    from imagejobs_client import Job, SavedImage

_ENDS = {"completed": Exit.DONE, "completed_with_errors": Exit.SOME_FAILED}


def follow(session: Session, job_id: str, title: str, timeout: float | None) -> "Job":
    """Show a job until it has ended."""
    session.started = job_id
    with job_bar(session, title) as bar:
        for job in session.client.watch(job_id, timeout):
            bar.show(job)
    session.ended = True
    return job


def end(job: "Job") -> None:
    """End the run with the exit code that the job's end has."""
    code = _ENDS.get(job.status, Exit.JOB_FAILED)
    if code:
        raise SystemExit(code)


def save_picture(session: Session, job: "Job", target: Path) -> Path:
    """Fetch a single job's picture. A folder gets it under the result's own name.

    Only a file that the caller named whole is overwritten.
    """
    result = job.result
    suffix = suffix_of(result.result_mime_type) if result and result.result_mime_type else _suffix_of_key(job)
    if target.is_dir():
        stem = Path(result.filename).stem if result and result.filename else job.job_id
        target = _unused(target / f"{stem}-edited{suffix}")
    elif not target.suffix:
        target = _unused(target.with_name(f"{target.name}{suffix}"))
    elif _kind(target.suffix) != _kind(suffix):
        session.warn(f"the picture is {suffix[1:]}, not {target.suffix[1:]}: --format asks for another type")
    session.client.save_result(job, target)
    return target


def save_batch(session: Session, job: "Job", folder: Path, side_by_side: int) -> list["SavedImage"]:
    """Fetch a batch's results, with a bar."""
    total = job.result.total_files or 0 if job.result else 0
    with count_bar(session, "fetching", total) as bar:
        return session.client.save_images(
            job.job_id, folder, side_by_side=side_by_side, on_saved=lambda _saved: bar.advance()
        )


def image_json(saved: "SavedImage") -> dict[str, Any]:
    """An image of a batch for scripts: what the service tells, without links that expire, and the local file."""
    told = {name: value for name, value in saved.image.raw.items() if name not in ("before_url", "after_url")}
    return told | ({"path": str(saved.path)} if saved.path else {})


def _unused(path: Path) -> Path:
    return next(one for one in numbered(path) if not one.exists())


def _suffix_of_key(job: "Job") -> str:
    key = job.result.object_key if job.result else None
    return Path(key).suffix if key else ".png"


def _kind(suffix: str) -> str:
    return {".jpeg": ".jpg"}.get(suffix.lower(), suffix.lower())
