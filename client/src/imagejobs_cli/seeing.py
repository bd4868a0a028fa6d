"""`imagejobs jobs`, `show` and `watch`."""

from itertools import islice
from pathlib import Path

from imagejobs_cli import tables
from imagejobs_cli.batching import finish
from imagejobs_cli.following import end, follow, save_picture
from imagejobs_cli.session import Session
from imagejobs_client import Job, JobFailedError

_BATCH = "batch"


def list_jobs(session: Session, status: str | None, operation: str | None, limit: int) -> None:
    """List the caller's jobs."""
    found = list(session.client.jobs(status=status, operation=operation, limit=limit))
    if session.json:
        session.answer({"jobs": [job.raw for job in found]})
    elif found:
        tables.print_jobs(session.out, found)
    else:
        session.say("no such job yet: `imagejobs edit` starts one" if not (status or operation) else "no such job")


def show(session: Session, beginning: str) -> None:
    """Show a job, and the images of a batch that has ended."""
    job = session.client.job(session.client.find_job_id(beginning))
    if session.json:
        session.answer(job.raw)
        return
    tables.print_job(session.out, job)
    if job.operation == _BATCH and job.result and job.result.report_url:
        # The images that failed, and no more than a table holds of the others.
        images = list(islice(session.client.images(job.job_id), 1000))
        tables.print_batch(session.out, job, [(image, None) for image in images])


def watch(session: Session, beginning: str, out: Path | None, side_by_side: int, timeout: float | None) -> None:
    """Follow a job to its end, and fetch its result."""
    job_id = session.client.find_job_id(beginning)
    finish_any(session, follow(session, job_id, job_id[:8], timeout), out, side_by_side)


def finish_any(session: Session, job: Job, out: Path | None, side_by_side: int) -> None:
    """End a run with a job of any kind: fetch its result where `out` says so, and tell how it ended."""
    if job.operation == _BATCH and out:
        finish(session, job, out, side_by_side)
        return
    path = save_picture(session, job, out) if out and job.succeeded else None
    if session.json:
        session.answer({"job": job.raw} | ({"path": str(path)} if path else {}))
    elif path:
        session.out.print(f"[green]✓[/] {path}", soft_wrap=True)
    else:
        tables.print_job(session.out, job)
    if out and not job.succeeded:
        raise JobFailedError(job)
    end(job)
