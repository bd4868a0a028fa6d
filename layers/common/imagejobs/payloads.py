"""The payload of a failed job: decided by `callback` when an error ended the job, by `accept` when it is cancelled."""

from datetime import UTC, datetime

from imagejobs.callbacks import Base64Callback, BatchCallback, Callback, UrlCallback
from imagejobs.job_store import JobRequest
from imagejobs.settings import StorageSettings

# The error of a job that its caller cancelled.
CANCELLED = "cancelled"


def failed(request: JobRequest, error: str, settings: StorageSettings) -> bytes:
    """Make the payload of a job that came to nothing, for any operation; `error` is in words for the caller."""
    callback: Callback
    if request.operation == "batch":
        callback = BatchCallback(
            status="failed",
            job_id=request.job_id,
            total_files=0,
            processed=0,
            failed=0,
            fallback_local=0,
            total_files_processed=0,
            duration_seconds=seconds_since(request.created_at),
            output_bucket=settings.output_bucket,
            output_prefix=settings.batch_output_prefix(request.job_id, request.output_prefix),
            errors=[],
            error=error,
        )
    else:
        model = Base64Callback if request.operation == "base64" else UrlCallback
        callback = model(status="failed", job_id=request.job_id, filename=request.filename, error=error)
    return callback.to_json()


def seconds_since(moment: datetime) -> float:
    """Seconds from `moment` until now, to the millisecond, never negative."""
    return round(max(0.0, (datetime.now(UTC) - moment).total_seconds()), 3)
