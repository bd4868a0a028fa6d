"""Jobs as `accept` records them."""

from datetime import UTC, datetime
from typing import Any

from imagejobs.job_request import JobRequest
from imagejobs.workflow import Operation

JOB_ID = "0b6f2c1e-0000-4000-8000-000000000001"
PROMPT = "make the sky purple"


def job_request(operation: Operation = "base64", **fields: Any) -> JobRequest:
    """Make a job's request, with other values for some of its fields."""
    values = {
        "job_id": JOB_ID,
        "operation": operation,
        "prompt": PROMPT,
        "callback_url": "https://receiver.example/done",
        "correlation_id": "correlation-1",
        "created_at": datetime.now(UTC),
    }
    return JobRequest.model_validate(values | fields)
