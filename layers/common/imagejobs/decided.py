"""How a job ended, read from its decided payload."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from imagejobs.callbacks import CANCELLED
from imagejobs.job_store import JobStore

EndState = Literal["completed", "completed_with_errors", "failed", "cancelled"]

# A larger payload is that of a completed base64 job: the others hold an error, a link or a batch's counts. Of those the
# largest is a batch's, whose 20 errors of 500 characters take up to 12 bytes each as JSON in ASCII: 120,000.
SMALL_PAYLOAD_BYTES = 128 * 1024


@dataclass(frozen=True)
class Decision:
    """A job's end: how, when, and its payload, which is empty where it holds an image of up to 40 MB."""

    status: EndState
    decided_at: datetime
    payload: dict[str, Any]


def find_decision(job_id: str, jobs: JobStore) -> Decision | None:
    """Read how a job ended, by one or two reads; None while it has no result, or when that was erased."""
    info = jobs.find_payload_info(job_id)
    if info is None:
        return None
    if info.size > SMALL_PAYLOAD_BYTES:
        return Decision("completed", info.decided_at, {})
    found = jobs.find_payload(job_id)
    if found is None:
        return None
    payload = json.loads(found.body)
    return Decision(end_state(payload), info.decided_at, payload)


def end_state(payload: dict[str, Any]) -> EndState:
    """How the job of a payload ended, as its caller is told."""
    status: EndState = "cancelled" if payload.get("error") == CANCELLED else payload["status"]
    return status
