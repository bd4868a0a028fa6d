"""Accepts a job: checks it, records it, starts its execution. What has a 202 is durable."""

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from botocore.exceptions import BotoCoreError, ClientError

from functions.accept.http.bodies import BatchRequest, ImageRequest
from functions.accept.http.problems import ConflictError, InvalidRequestError, NotConfiguredError
from functions.accept.jobs import index
from functions.accept.jobs.beside import Beside, Copied, beside_of_body, beside_of_retried
from functions.accept.jobs.images import check_image, decoded_image
from functions.accept.jobs.lookup import known_job
from functions.accept.jobs.uploads import check_upload
from functions.accept.settings import AcceptSettings
from imagejobs.catalogue import find_model
from imagejobs.edit_options import EditOptions
from imagejobs.errors import CostTooHighError, JobError
from imagejobs.estimates import check_cost
from imagejobs.executions import ExecutionName, Executions
from imagejobs.job_request import JobRequest
from imagejobs.job_store import IdempotencyClaim, JobStore
from imagejobs.observability import loggable_error, make_logger
from imagejobs.secrets import EditSecrets
from imagejobs.workflow import Operation

logger = make_logger("accept")


@dataclass(frozen=True)
class Submission:
    """What a caller asked for, read and checked, but for the image itself."""

    operation: Operation
    body: ImageRequest | BatchRequest
    # None for a job without a receiver.
    callback_url: str | None
    correlation_id: str
    idempotency_key: str | None
    caller: str
    progress_url: str | None = None
    retry_of: str | None = None

    @property
    def fingerprint(self) -> str:
        """A digest of all that makes the request what it is."""
        parts = [self.operation, self.callback_url, self.body.model_dump(mode="json", exclude_none=True)]
        parts += [one for one in (self.retry_of, self.progress_url) if one]
        return sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def submit(
    submission: Submission, jobs: JobStore, executions: Executions, settings: AcceptSettings, secrets: EditSecrets
) -> str:
    """Record the job and start its execution; answers its id.

    The first post with an Idempotency-Key claims it for a new job. Every further step can be taken twice with the same
    outcome, so that any number of posts with that key, at once or one after another, come to one record and one
    execution; a post after a crash in between completes the job, and one after its start changes nothing. A post
    without a key that fails takes back what it has recorded, since nobody could complete its job.

    Raises:
        NotConfiguredError: settings or secrets are missing without which the job would fail.
        InvalidRequestError: the file is not an image, or its upload is not there; or the edit would cost too much.
        PayloadTooLargeError: the base64 image is over the limit.
        ConflictError: the Idempotency-Key belongs to another request, or the batch to retry was erased.
    """
    _require_configuration(submission, settings, secrets)
    _check_cost(submission, settings)
    image = _posted_image(submission, jobs, settings)
    beside = _beside(submission, jobs, settings)
    claim = IdempotencyClaim(job_id=str(uuid.uuid4()), fingerprint=submission.fingerprint)
    first = _first_claim(claim, submission, jobs)
    if first == claim or not _is_started(first.job_id, jobs, executions):
        request = _request(submission, first.job_id, has_mask=beside.has_mask)
        try:
            _keep_inputs(submission, first.job_id, image, beside, jobs)
            if not jobs.create(request):
                # As an earlier post with this key recorded it.
                request = known_job(request.job_id, submission.caller, jobs)
            index.add(request, jobs.bucket)
            executions.start(ExecutionName(first.job_id), submission.operation)
        except Exception:
            if submission.idempotency_key is None:
                _take_back(request, jobs, executions)
            raise
    # An earlier post may have crashed before it did this. By its name, it starts once.
    if submission.progress_url and (first == claim or not jobs.has_payload(first.job_id)):
        _start_reports(first.job_id, executions)
    return first.job_id


def _keep_inputs(
    submission: Submission, job_id: str, image: tuple[bytes, str] | None, beside: Beside, jobs: JobStore
) -> None:
    """Keep the pictures before the record: an upload may be deleted since it was checked, which refuses the job."""
    body = submission.body
    if isinstance(body, ImageRequest) and body.image_key is not None:
        Copied("input", body.image_key, ("image_key",)).keep(job_id, jobs)
    beside.keep(job_id, jobs)
    if image is not None:
        jobs.put_input(job_id, *image)


def _take_back(request: JobRequest, jobs: JobStore, executions: Executions) -> None:
    """Delete what is recorded of a job that is not accepted; what the storage does not delete now expires.

    A job whose execution began, though the answer was lost, stays: it runs, and its callback comes.
    """
    try:
        if executions.find_status(ExecutionName(request.job_id)) is None:
            objects = [key for key, _ in jobs.bucket.keys(jobs.key(request.job_id, ""))]
            jobs.bucket.delete_all([index.entry_key(request), *objects])
    except (JobError, ClientError, BotoCoreError) as error:
        extra = {"job_id": request.job_id, "error": loggable_error(error)}
        logger.warning("a job that was not accepted could not be taken back", extra=extra)


def _start_reports(job_id: str, executions: Executions) -> None:
    """Start what posts the job's progress. The job is accepted, whether it can be started or not."""
    try:
        executions.start(ExecutionName(job_id, "progress"), "report_progress")
    except (ClientError, BotoCoreError) as error:
        logger.warning("the progress will not be posted", extra={"job_id": job_id, "error": loggable_error(error)})


def _require_configuration(submission: Submission, settings: AcceptSettings, secrets: EditSecrets) -> None:
    engine = find_model(submission.body.model or settings.openai_image_model).engine
    if missing := settings.missing(submission.operation, engine, secrets):
        raise NotConfiguredError(
            f"configuration missing: {', '.join(missing)}. Keys and tokens are members of the owner's secret, "
            "the rest are parameters of the stack"
        )


def _check_cost(submission: Submission, settings: AcceptSettings) -> None:
    """Refuse a single image that would cost too much; of a batch nobody knows the images yet."""
    if submission.operation == "batch":
        return
    try:
        check_cost(_request(submission, "", has_mask=False), settings)
    except CostTooHighError as error:
        raise InvalidRequestError.at("body", msg=str(error)) from error


def _posted_image(submission: Submission, jobs: JobStore, settings: AcceptSettings) -> tuple[bytes, str] | None:
    body = submission.body
    if not isinstance(body, ImageRequest):
        return None
    if body.image_base64 is not None:
        image = decoded_image(body.image_base64, settings.max_image_base64_chars)
        return image, check_image(image)
    if body.image_key is not None and not is_claimed(submission, jobs):
        check_upload(body.image_key, submission.caller, jobs.bucket)
    return None


def _beside(submission: Submission, jobs: JobStore, settings: AcceptSettings) -> Beside:
    if submission.retry_of:
        return beside_of_retried(known_job(submission.retry_of, submission.caller, jobs), jobs)
    body = submission.body
    uploads = body.mask_key is not None or body.reference_keys
    claimed = bool(uploads) and is_claimed(submission, jobs)
    return beside_of_body(body, submission.caller, jobs, settings, is_claimed=claimed)


def is_claimed(submission: Submission, jobs: JobStore) -> bool:
    """Tell whether an earlier post had this Idempotency-Key: its uploads may be deleted by now."""
    key = submission.idempotency_key
    return key is not None and jobs.find_claim(submission.caller, key) is not None


def _first_claim(claim: IdempotencyClaim, submission: Submission, jobs: JobStore) -> IdempotencyClaim:
    """This claim, or the earlier one of the same Idempotency-Key; raises ConflictError for another request's."""
    if submission.idempotency_key is None:
        return claim
    first = jobs.claim(submission.caller, submission.idempotency_key, claim)
    if first.fingerprint != claim.fingerprint:
        raise ConflictError(
            "this Idempotency-Key was used with another request (route, body, callbackUrl or progressUrl): "
            "repeat that request unchanged, or use a new key for a new job"
        )
    return first


def _is_started(job_id: str, jobs: JobStore, executions: Executions) -> bool:
    """Tell whether an earlier post started the job; raises ConflictError when its record is gone since.

    A claim and its record expire within a day of each other, while Step Functions keeps a name for 90 days. A stack may
    keep its records for longer: then only the erasure tells that there was a job.
    """
    started = executions.find_status(ExecutionName(job_id)) is not None
    if jobs.find_erasure(job_id) is not None or (started and jobs.find_request(job_id) is None):
        raise ConflictError(
            "this Idempotency-Key belongs to an earlier job whose record has been deleted: use a new key"
        )
    return started


def _request(submission: Submission, job_id: str, *, has_mask: bool) -> JobRequest:
    # The fields that the body's model and the record have in common have the same names.
    apart = {"image_base64", "mask_base64", *EditOptions.model_fields}
    choices = submission.body.model_dump(exclude=apart, exclude_none=True)
    return JobRequest(
        job_id=job_id,
        caller=submission.caller,
        operation=submission.operation,
        callback_url=submission.callback_url,
        progress_url=submission.progress_url,
        correlation_id=submission.correlation_id,
        created_at=datetime.now(UTC),
        retry_of=submission.retry_of,
        options=submission.body.options,
        mask=has_mask or None,
        **choices,
    )
