"""`imagejobs cancel`, `retry` and `redeliver`."""

from pathlib import Path

from imagejobs_cli.following import follow
from imagejobs_cli.seeing import finish_any
from imagejobs_cli.session import Session


def cancel(session: Session, beginning: str) -> None:
    """Cancel a job."""
    job_id = session.client.find_job_id(beginning)
    session.client.cancel(job_id)
    _tell(session, job_id, "is cancelled: no further image is paid for")


def redeliver(session: Session, beginning: str) -> None:
    """Send a job's callback again."""
    job_id = session.client.find_job_id(beginning)
    session.client.redeliver(job_id)
    _tell(session, job_id, "gets its callback sent again")


def retry(
    session: Session,
    beginning: str,
    out: Path | None,
    side_by_side: int,
    timeout: float | None,
    no_wait: bool,
    idempotency_key: str | None,
) -> None:
    """Edit a batch's failed images again, and follow the new job."""
    job_id = session.client.retry(session.client.find_job_id(beginning), idempotency_key=idempotency_key)
    if no_wait:
        session.leave(job_id)
        return
    session.say(f"[dim]job {job_id}[/]")
    finish_any(session, follow(session, job_id, "editing", timeout), out, side_by_side)


def _tell(session: Session, job_id: str, what: str) -> None:
    if session.json:
        session.answer({"job_id": job_id, "accepted": True})
    else:
        session.out.print(f"[green]✓[/] the job {job_id} {what}", soft_wrap=True)
