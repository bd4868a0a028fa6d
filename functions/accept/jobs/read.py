"""A job as it stands: read from its record, its execution and, for a batch under way, its map run."""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from functions.accept.http.answers import Base64Result, BatchResult, DeliveryState, Job, JobState, Wait
from functions.accept.jobs.lookup import find_job
from functions.accept.jobs.usage import told_estimate, told_usage
from functions.accept.settings import AcceptSettings
from imagejobs.callbacks import UrlCallback
from imagejobs.catalogue import PROVIDERS
from imagejobs.decided import SMALL_PAYLOAD_BYTES, end_state, find_decision
from imagejobs.errors import JobError
from imagejobs.executions import ExecutionName, Executions
from imagejobs.job_request import JobRequest
from imagejobs.job_store import Delivery, Erasure, JobStore, PayloadInfo
from imagejobs.progress import ProgressReader
from imagejobs.storage import Bucket, StoredObject
from imagejobs.workflow import REPORT_NAME, EditedImage

# DescribeExecution allows about fifteen calls a second for the whole account.
_STATE_MAX_AGE_SECONDS = 1.0


@dataclass
class JobReader:
    """Reads jobs as they stand; one for each execution environment, since it remembers what Step Functions said."""

    jobs: JobStore
    executions: Executions
    outputs: Callable[[], Bucket]
    settings: AcceptSettings
    _states: dict[str, tuple[float, str]] = field(default_factory=dict)

    def read(self, job_id: str, caller: str) -> Job:
        """Read a caller's job; raises NotFoundError for one that this stack does not know as theirs."""
        request = find_job(job_id, caller, self.jobs)
        if isinstance(request, Erasure):
            return _erased(request)
        as_of = datetime.now(UTC)  # before the rest is read: a later answer tells nothing older
        info = self.jobs.find_payload_info(job_id)
        delivery = self.jobs.delivery_of(request)
        job: dict[str, Any] = {
            "job_id": job_id,
            "operation": request.operation,
            "created_at": request.created_at,
            "retry_of": request.retry_of,
            "delivery": _told(delivery),
            "as_of": as_of,
        }
        return Job(**job | (self._of_result(request, info) if info else self._under_way(request, as_of)))

    def has_news(self, job: Job) -> bool:
        """Tell whether a job's status or progress is another than what was read, or will not change any more.

        Nothing here but a progress that is too old asks Step Functions, so that many callers may wait.
        """
        if job.status not in ("queued", "running") or self.jobs.has_payload(job.job_id):
            return True
        if job.status == "queued":
            return self._execution_state(job.job_id) is not None
        if job.operation != "batch":
            return False
        kept = self._progress.read(job.job_id)
        return kept is not None and kept.counts != job.progress

    def find_status(self, job_id: str) -> tuple[JobState, datetime | None] | None:
        """How a job stands and when it ended, for a list: one to three reads. None when it has no record.

        Whether the execution of a job without a result has begun, Step Functions is asked until it has.
        """
        if decision := find_decision(job_id, self.jobs):
            return decision.status, decision.decided_at
        if self.jobs.find_erasure(job_id):
            return "erased", None
        if not self.jobs.bucket.find(self.jobs.key(job_id, "request.json")):
            return None
        has_begun = job_id in self._states or self._execution_state(job_id) is not None
        return ("running" if has_begun else "queued"), None

    @property
    def _progress(self) -> ProgressReader:
        return ProgressReader(self.jobs, self.executions)

    def _of_result(self, request: JobRequest, info: PayloadInfo) -> dict[str, Any]:
        payload, edit = self._decided(request, info)
        status = end_state(payload)
        fields: dict[str, Any] = {"status": status, "finished_at": info.decided_at}
        if payload.get("error") is not None:
            fields["error"] = payload["error"]
        edited = EditedImage.of_object(edit.size, edit.content_type, edit.metadata, attempts=1) if edit else None
        if edited and status == "completed":
            told = {"note", "engine", "model", "stands_in_for"}
            fields |= edited.model_dump(include=told) | {"ai_generated": edited.ai_generated}
        summary = self.jobs.find_summary(request.job_id) if request.operation == "batch" else None
        fields |= {"usage": told_usage(request, edited, summary, self.jobs), "estimate": told_estimate(summary)}
        return fields | {"result": self._linked(request, payload)}

    def _decided(self, request: JobRequest, info: PayloadInfo) -> tuple[dict[str, Any], StoredObject | None]:
        """The decided payload, without an image of up to 40 MB that nobody will see here; and a single image's edit."""
        edit = self.jobs.bucket.find(self.jobs.key(request.job_id, "result")) if request.operation == "base64" else None
        if edit and info.size > SMALL_PAYLOAD_BYTES:
            named = {"filename": request.filename} if request.filename is not None else {}
            return {
                "status": "completed",
                "job_id": request.job_id,
                **named,
                "result_mime_type": edit.content_type,
            }, edit
        found = self.jobs.find_payload(request.job_id)
        payload: dict[str, Any] = json.loads(found.body) if found else {}
        if "object_key" in payload:
            edit = self._find_output(payload["object_key"])  # for the note alone
        return payload, edit

    def _find_output(self, key: str) -> StoredObject | None:
        """Look for a result; None as well while the output storage is away: the job itself can be told without it."""
        with suppress(JobError):
            return self.outputs().find(key)
        return None

    def _linked(self, request: JobRequest, payload: dict[str, Any]) -> Base64Result | UrlCallback | BatchResult:
        """The payload with fresh presigned URLs for its image and links, so that an expired one can be replaced."""
        expires_in = self.settings.cos_presign_expires
        completed = payload["status"] != "failed"
        if request.operation == "base64":
            payload.pop("result_image_base64", None)
            url = self.jobs.bucket.presigned_url(self.jobs.key(request.job_id, "result"), expires_in)
            return Base64Result(**payload, **({"result_url": url, "expires_in": expires_in} if completed else {}))
        if request.operation == "url":
            if completed:
                url = self.outputs().presigned_url(payload["object_key"], expires_in)
                payload |= {"result_url": url, "expires_in": expires_in}
            return UrlCallback(**payload)
        report_key = f"{payload['output_prefix']}{REPORT_NAME}"
        # A batch that was ended has one as well; a dry run and one whose summary could not be written have none.
        if self._find_output(report_key):
            payload |= {"report_url": self.outputs().presigned_url(report_key, expires_in), "expires_in": expires_in}
        return BatchResult(**payload)

    def _under_way(self, request: JobRequest, as_of: datetime) -> dict[str, Any]:
        state = self._execution_state(request.job_id)
        if state is None:
            return {"status": "queued"}
        if state in ("FAILED", "TIMED_OUT", "ABORTED"):
            # The last word is on its way and will decide the payload.
            return {"status": "failed", "error": f"the execution ended as {state}; the callback will follow"}
        fields: dict[str, Any] = {"status": "running"}
        if request.operation == "batch":
            kept = self._progress.read(request.job_id)
            return fields | ({"progress": kept.counts, "as_of": min(as_of, kept.as_of)} if kept else {})
        waiting = self.jobs.find_waiting(request.job_id)
        if waiting and waiting.until > datetime.now(UTC):
            reason = f"waiting for {PROVIDERS[waiting.engine]}'s rate limit"
            fields["waiting"] = Wait(reason=reason, since=waiting.since)
        return fields

    def _execution_state(self, job_id: str) -> str | None:
        """The execution's status, a second old at the most; None when it was not started yet."""
        read_at, state = self._states.get(job_id, (float("-inf"), None))
        if time.monotonic() - read_at <= _STATE_MAX_AGE_SECONDS:
            return state
        try:
            state = self.executions.find_status(ExecutionName(job_id))
        except (ClientError, BotoCoreError):  # Step Functions throttles
            return state or "RUNNING"
        if len(self._states) > 1000:
            self._states.clear()
        if state is not None:  # or else another environment could tell that it runs, and this one that it does not
            self._states[job_id] = time.monotonic(), state
        return state


def _erased(erasure: Erasure) -> Job:
    return Job(
        job_id=erasure.job_id,
        operation=erasure.operation,
        status="erased",
        created_at=erasure.created_at,
        delivery=_told(erasure.delivery),
        as_of=datetime.now(UTC),
        erased_at=erasure.erased_at,
    )


def _told(delivery: Delivery) -> DeliveryState:
    return DeliveryState(status=delivery.status, attempts=delivery.attempts, last_error=delivery.last_error)
