"""Accepts a job: checks it, records it, starts its execution. What has a 202 is durable."""

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from functions.accept.http.bodies import BatchRequest, ImageRequest
from functions.accept.http.problems import ConflictError, NotConfiguredError
from functions.accept.jobs.images import check_image, decoded_image
from functions.accept.jobs.uploads import check_upload
from functions.accept.settings import AcceptSettings
from imagejobs.executions import ExecutionName, Executions
from imagejobs.job_store import JobRequest, JobStore
from imagejobs.secrets import Secrets
from imagejobs.workflow import Operation

# Between the record of a job and the start of its execution lie moments; clocks may differ by this much.
_CLOCK_SKEW = timedelta(minutes=5)


@dataclass(frozen=True)
class Submission:
    """What a caller asked for, read and checked, but for the image itself."""

    operation: Operation
    body: ImageRequest | BatchRequest
    callback_url: str
    correlation_id: str
    idempotency_key: str | None
    caller: str
    retry_of: str | None = None

    @property
    def job_id(self) -> str:
        """A new id, or the one that belongs to the caller's Idempotency-Key."""
        if self.idempotency_key is None:
            return str(uuid.uuid4())
        digest = sha256(f"{self.caller}\n{self.idempotency_key}".encode()).digest()
        return str(uuid.UUID(bytes=digest[:16], version=5))

    @property
    def fingerprint(self) -> str:
        """A digest of all that makes the request what it is."""
        parts = [self.operation, self.callback_url, self.body.model_dump(mode="json", exclude_none=True)]
        parts += [self.retry_of] if self.retry_of else []
        return sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def submit(
    submission: Submission, jobs: JobStore, executions: Executions, settings: AcceptSettings, secrets: Secrets
) -> str:
    """Record the job and start its execution; answers its id.

    Every step can be taken twice with the same outcome, so that any number of posts with one Idempotency-Key, at once
    or one after another, come to one record and one execution, and a post after a crash in between completes it.

    Raises:
        NotConfiguredError: settings or secrets are missing without which the job would fail.
        InvalidRequestError: the file is not an image, or its upload is not there.
        PayloadTooLargeError: the base64 image is over the limit.
        ConflictError: the Idempotency-Key belongs to another request.
    """
    _require_configuration(submission.operation, settings, secrets)
    image = _posted_image(submission, jobs, settings)
    request = _request(submission)
    if not jobs.create(request):
        _refuse_other_request(request, jobs)
    if image is not None:
        jobs.put_input(request.job_id, *image)
    if not executions.start(ExecutionName(request.job_id), request.operation):
        _refuse_expired_key(request, jobs, executions)
    return request.job_id


def _require_configuration(operation: Operation, settings: AcceptSettings, secrets: Secrets) -> None:
    if missing := settings.missing(operation, secrets):
        raise NotConfiguredError(
            f"configuration missing: {', '.join(missing)}. Keys and tokens are members of the stack's secret, "
            "the rest are parameters of the stack"
        )


def _posted_image(submission: Submission, jobs: JobStore, settings: AcceptSettings) -> tuple[bytes, str] | None:
    body = submission.body
    if not isinstance(body, ImageRequest):
        return None
    if body.image_base64 is not None:
        image = decoded_image(body.image_base64, settings.max_image_base64_chars)
        return image, check_image(image)
    if body.image_key is not None:
        check_upload(body.image_key, jobs.bucket)
    return None


def _request(submission: Submission) -> JobRequest:
    # The fields that the body's model and the record have in common have the same names.
    choices = submission.body.model_dump(exclude={"image_base64"}, exclude_none=True)
    return JobRequest(
        job_id=submission.job_id,
        operation=submission.operation,
        callback_url=submission.callback_url,
        correlation_id=submission.correlation_id,
        created_at=datetime.now(UTC),
        fingerprint=submission.fingerprint,
        retry_of=submission.retry_of,
        **choices,
    )


def _refuse_other_request(request: JobRequest, jobs: JobStore) -> None:
    """A record of that id exists: fine for the same request, a conflict for another."""
    if jobs.get_request(request.job_id).fingerprint != request.fingerprint:
        raise ConflictError(
            "this Idempotency-Key was used with another request (route, body or callbackUrl): "
            "repeat that request unchanged, or use a new key for a new job"
        )


def _refuse_expired_key(request: JobRequest, jobs: JobStore, executions: Executions) -> None:
    """An execution of that name ran before: this job's own, unless the record of it has expired since.

    Step Functions keeps a name for 90 days; a job's record may be deleted earlier (JobsExpirationDays).
    """
    execution = executions.find(ExecutionName(request.job_id))
    recorded_at = jobs.get_request(request.job_id).created_at
    if execution is None or execution["startDate"] < recorded_at - _CLOCK_SKEW:
        jobs.forget(request.job_id)
        raise ConflictError(
            "this Idempotency-Key belongs to an earlier job whose record has been deleted: use a new key"
        )
