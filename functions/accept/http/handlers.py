"""What answers each route: hands the plain values of a call on, and answers in the form of docs/api.md."""

from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response
from botocore.exceptions import BotoCoreError, ClientError

from functions.accept.checks import run_checks
from functions.accept.http.answers import Accepted, CosConfig, DeepHealth, Health, Job, JobAction
from functions.accept.http.call import Answer, Call, answer
from functions.accept.http.pages import Page, console_page, docs_page
from functions.accept.http.requests import (
    BatchSubmission,
    HealthRequest,
    ImagesListing,
    ImageSubmission,
    JobAddress,
    JobReading,
    JobsListing,
    OpenRequest,
    Request,
    RetrySubmission,
    UploadSubmission,
)
from functions.accept.http.upload_bodies import UploadRequest
from functions.accept.jobs import erase, listing, retry, steer, uploads
from functions.accept.jobs.batch_images import ImageLister
from functions.accept.jobs.lookup import find_job, known_job
from functions.accept.jobs.submit import Submission, is_claimed, submit
from functions.accept.jobs.wait import wait_until
from functions.accept.models import models_of
from imagejobs.errors import JobError
from imagejobs.job_store import Erasure
from imagejobs.observability import loggable_error, make_logger
from imagejobs.workflow import Operation

logger = make_logger("accept")
_NO_STORE = {"Cache-Control": "no-store"}


# ---------------------------------------------------------------- jobs


def submit_base64(call: Call[ImageSubmission]) -> Answer:
    """POST /process-image-async-b64."""
    return _accept(call, _submission(call, "base64"))


def submit_url(call: Call[ImageSubmission]) -> Answer:
    """POST /process-image-async."""
    return _accept(call, _submission(call, "url"))


def submit_batch(call: Call[BatchSubmission]) -> Answer:
    """POST /batch-process-images."""
    submission, folder = _submission(call, "batch"), call.sent.body.folder
    if folder and not is_claimed(submission, call.resources.jobs):
        uploads.check_folder(folder, call.caller, call.resources.inputs)
    return _accept(call, submission)


def retry_job(call: Call[RetrySubmission]) -> Answer:
    """POST /jobs/{job_id}/retry."""
    earlier = retry.find_retriable(call.sent.path.job_id, call.caller, call.resources.jobs)
    submission = Submission(
        operation="batch",
        body=retry.body_of_retry(earlier),
        callback_url=call.sent.header.callback_url or earlier.callback_url,
        progress_url=call.sent.header.progress_url,
        correlation_id=call.correlation_id,
        idempotency_key=call.sent.header.idempotency_key,
        caller=call.caller,
        retry_of=earlier.job_id,
    )
    return _accept(call, submission)


def _submission(call: Call[ImageSubmission] | Call[BatchSubmission], operation: Operation) -> Submission:
    return Submission(
        operation=operation,
        body=call.sent.body,
        callback_url=call.sent.header.callback_url,
        progress_url=call.sent.header.progress_url,
        correlation_id=call.correlation_id,
        idempotency_key=call.sent.header.idempotency_key,
        caller=call.caller,
    )


def _accept(call: Call[Any], submission: Submission) -> Answer:
    own = call.resources
    job_id = submit(submission, own.jobs, own.executions, own.settings, own.secrets)
    logger.info("accepted", extra={"job_id": job_id, "operation": submission.operation})
    preferences = call.sent.header.preferences(own.settings.max_wait_seconds)
    location = {"Location": call.url_of(f"/jobs/{job_id}")}
    if preferences.wait is not None and (job := _ended(call, job_id, preferences.wait)):
        return answer(HTTPStatus.OK, job, location | preferences.applied(is_async=False) | _NO_STORE)
    return answer(HTTPStatus.ACCEPTED, Accepted(job_id=job_id), location | preferences.applied(is_async=True))


def _ended(call: Call[Any], job_id: str, seconds: int) -> Job | None:
    """The job, if it ends within these seconds of the call. It is accepted: nothing that fails here is told as its."""
    own = call.resources
    try:
        if wait_until(lambda: own.jobs.has_payload(job_id), call.began + seconds):
            return own.job_reader.read(job_id, call.caller)
    except (JobError, ClientError, BotoCoreError) as error:
        logger.warning("the job could not be waited for", extra={"job_id": job_id, "error": loggable_error(error)})
    return None


def read_job(call: Call[JobReading]) -> Answer:
    """GET /jobs/{job_id}."""
    own, job_id = call.resources, call.sent.path.job_id
    reader, preferences = own.job_reader, call.sent.header.preferences(own.settings.max_wait_seconds)
    job = reader.read(job_id, call.caller)
    if preferences.wait is not None and wait_until(lambda: reader.has_news(job), call.began + preferences.wait):
        job = reader.read(job_id, call.caller)
    headers = preferences.applied(is_async=False) | _NO_STORE
    if job.status in ("queued", "running"):
        headers["Retry-After"] = "2"
    return answer(HTTPStatus.OK, job, headers)


def list_jobs(call: Call[JobsListing]) -> Answer:
    """GET /jobs."""
    asked = call.sent.query
    found = listing.list_jobs(
        call.caller, call.resources.job_reader, asked.limit, asked.cursor, asked.status, asked.operation
    )
    return answer(HTTPStatus.OK, found, _NO_STORE)


def list_images(call: Call[ImagesListing]) -> Answer:
    """GET /jobs/{job_id}/images."""
    own, asked = call.resources, call.sent.query
    request = known_job(call.sent.path.job_id, call.caller, own.jobs)
    lister = ImageLister(request, own.jobs, own.inputs, own.outputs, own.settings)
    return answer(HTTPStatus.OK, lister.page(asked.limit, asked.cursor, asked.status), _NO_STORE)


def cancel_job(call: Call[JobAddress]) -> Answer:
    """DELETE /jobs/{job_id}."""
    own = call.resources
    steer.cancel(known_job(call.sent.path.job_id, call.caller, own.jobs), own.jobs, own.executions, own.settings)
    return _under_way(call, "cancelled")


def redeliver_job(call: Call[JobAddress]) -> Answer:
    """POST /jobs/{job_id}/redeliver."""
    own = call.resources
    request = steer.find_redeliverable(call.sent.path.job_id, call.caller, own.jobs)
    steer.redeliver(request.job_id, own.jobs, own.executions, own.settings.redelivery_limits)
    return _under_way(call, "redelivery")


def erase_job(call: Call[JobAddress]) -> Answer:
    """DELETE /jobs/{job_id}/data."""
    own = call.resources
    found = find_job(call.sent.path.job_id, call.caller, own.jobs)
    erasure = found if isinstance(found, Erasure) else erase.begin(found, own.jobs, own.executions, own.settings)
    if erase.finish(erasure, own.jobs, own.outputs, own.inputs):
        logger.info("erased", extra={"job_id": erasure.job_id})
        return Response(HTTPStatus.NO_CONTENT, body="")
    under_way = _under_way(call, "erasure")
    under_way.headers["Retry-After"] = "1"
    return under_way


def _under_way(call: Call[JobAddress], what: str) -> Answer:
    job_id = call.sent.path.job_id
    logger.info(what, extra={"job_id": job_id})
    return answer(HTTPStatus.ACCEPTED, JobAction(job_id=job_id), {"Location": call.url_of(f"/jobs/{job_id}")})


# ---------------------------------------------------------------- around jobs


def create_upload(call: Call[UploadSubmission]) -> Answer:
    """POST /uploads."""
    own, body = call.resources, call.sent.body
    expires_in = own.settings.upload_expires
    if isinstance(body, UploadRequest):
        return answer(HTTPStatus.CREATED, uploads.create_upload(body, call.caller, own.jobs.bucket, expires_in))
    by_form = not own.settings.cos_endpoint
    folder = uploads.create_folder(body, call.caller, own.inputs, expires_in, by_form=by_form)
    return answer(HTTPStatus.CREATED, folder)


def health(call: Call[HealthRequest]) -> Answer:
    """GET /health."""
    if call.sent.query.deep:
        # API Gateway lets everyone call this path, and cannot ask for a key by a query.
        return Response(HTTPStatus.TEMPORARY_REDIRECT, body="", headers={"Location": call.url_of("/health/deep")})
    return take_callback(call)


def take_callback(call: Call[Any]) -> Answer:
    """POST /health: the answer of GET, whatever is posted."""
    settings, secrets = call.resources.settings, call.resources.secrets
    return answer(
        HTTPStatus.OK,
        Health(
            ok=True,
            mode="async",
            callback_rewrite_enabled=settings.enable_callback_rewrite,
            max_concurrent_jobs=settings.max_concurrent_jobs,
            callback_retries=settings.callback_max_retries,
            fallback_single_enabled=settings.enable_fallback_single,
            workshop_token_enabled=bool(secrets.workshop_token),
        ),
    )


def deep_health(call: Call[Request]) -> Answer:
    """GET /health/deep."""
    checks = run_checks(call.resources)
    healthy = all(check.ok for check in checks.values())
    logger.info("checked", extra={"failed": [name for name, check in checks.items() if not check.ok]})
    status = HTTPStatus.OK if healthy else HTTPStatus.SERVICE_UNAVAILABLE
    return answer(status, DeepHealth(ok=healthy, checks=checks), _NO_STORE)


def cos_config(call: Call[Request]) -> Answer:
    """GET /cos/config."""
    settings = call.resources.settings
    return answer(
        HTTPStatus.OK,
        CosConfig(
            endpoint=settings.cos_endpoint,
            region=settings.cos_region,
            input_bucket=settings.cos_input_bucket,
            output_bucket=settings.output_bucket,
            input_prefix=settings.cos_input_prefix,
            output_prefix=settings.cos_output_prefix,
            presign_expires=settings.cos_presign_expires,
        ),
    )


def list_models(call: Call[Request]) -> Answer:
    """GET /models."""
    return answer(HTTPStatus.OK, models_of(call.resources.settings))


def root(call: Call[OpenRequest]) -> Answer:
    """GET /."""
    return Response(HTTPStatus.FOUND, body="", headers={"Location": call.url_of("/docs")})


def docs(call: Call[OpenRequest]) -> Answer:  # noqa: ARG001 (every handler takes its call)
    """GET /docs."""
    return _shown(docs_page())


def console(call: Call[OpenRequest]) -> Answer:
    """GET /console."""
    return _shown(console_page(call.resources.storage_origins))


def _shown(page: Page) -> Answer:
    body, headers = page
    return Response(HTTPStatus.OK, content_type="text/html; charset=utf-8", body=body, headers=dict(headers))
