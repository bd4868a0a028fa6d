"""The payload of a finished job, built once and then kept: every attempt and every redelivery sends the same bytes."""

import binascii
from dataclasses import dataclass

from aws_lambda_powertools import Logger

from functions.callback.settings import CallbackSettings
from imagejobs.callbacks import MAX_ERRORS, Base64Callback, UrlCallback, batch_callback, failed_callback
from imagejobs.errors import JobError, RetryableError, StorageRejectedError, failure_text
from imagejobs.executions import ExecutionName
from imagejobs.job_request import JobRequest
from imagejobs.observability import loggable_error, loggable_stack
from imagejobs.output_keys import EDIT_TYPES, output_key
from imagejobs.resources import Resources
from imagejobs.workflow import BatchSummary, EditedImage, Outcome


@dataclass(frozen=True)
class PayloadBuilder:
    """Builds payloads with what they take: the job's record, and the storage that presigned URLs lead to."""

    resources: Resources[CallbackSettings]
    logger: Logger

    def build(self, request: JobRequest, outcome: Outcome) -> bytes:
        """Build the payload of a job; a result that cannot be had makes it a failed one.

        Raises:
            RetryableError: the storage could not be reached.
            ClientError, BotoCoreError: Step Functions could not be asked what a batch came to.
        """
        if outcome.error:
            return self.ended(request, failure_text(outcome.error.error, outcome.error.cause))
        try:
            return self._completed(request, outcome)
        except RetryableError:
            raise
        except JobError as error:
            return self._failed(request, f"{type(error).__name__}: {error}")
        except ValueError as error:  # a model's refusal, for example, whose message may hold a presigned URL
            extra = {"error": loggable_error(error), "stack": loggable_stack(error)}
            self.logger.error("the payload could not be built", extra=extra)
            return self._failed(request, f"{type(error).__name__}: the result could not be put into a callback")

    def ended(self, request: JobRequest, error: str) -> bytes:
        """Build the payload of a job that `error` ended, with what was made before.

        An edit that was kept and a batch whose map run succeeded are results, whatever came after them; of a batch that
        was ended before, Step Functions knows the counts. Raises as `build` does.
        """
        if request.operation != "batch":
            kept = self._find_edit(request)
            return self.build(request, Outcome(image=kept)) if kept else self._failed(request, error)
        if summary := self.resources.jobs.find_summary(request.job_id):
            return self._batch(request, summary)
        run = self.resources.executions.find_map_run(ExecutionName(request.job_id))
        if run is None:
            return self._failed(request, error)
        made = run.progress.as_batch()
        if run.status != "SUCCEEDED":
            return failed_callback(request, error, self.resources.settings, made)
        notice = f"the report could not be written, and fallbacks are not counted: {error}"
        return self._batch(request, BatchSummary(**made.model_dump(), errors=[notice]))

    def _failed(self, request: JobRequest, error: str) -> bytes:
        return failed_callback(request, error, self.resources.settings)

    def _find_edit(self, request: JobRequest) -> EditedImage | None:
        """Find the edit that a worker kept for a single image, whose answer was lost."""
        bucket = self.resources.jobs.bucket if request.operation == "base64" else self.resources.outputs
        for key in dict.fromkeys(output_key(request, self.resources.settings, one) for one in EDIT_TYPES):
            try:
                found = bucket.find(key)
            except JobError:
                # The state machine looked for the edit before (CollectEdit). A caller is not left without a callback
                # because the storage of results is gone.
                return None
            if found and (edited := EditedImage.of_object(found.size, found.content_type, found.metadata, attempts=1)):
                return edited
        return None

    def _completed(self, request: JobRequest, outcome: Outcome) -> bytes:
        if request.operation == "batch" and outcome.summary:
            summary = self.resources.jobs.find_summary(request.job_id)
            return self._batch(request, summary or BatchSummary(**outcome.summary.model_dump(), errors=[]))
        if request.operation == "base64" and outcome.image:
            return self._base64(request, outcome.image)
        if request.operation == "url" and outcome.image:
            return self._url(request, outcome.image)
        raise StorageRejectedError("the job ended without a result in its record")

    def _base64(self, request: JobRequest, edited: EditedImage) -> bytes:
        """Put the payload together around the base64, which a model would copy several times over.

        The model makes everything else: its JSON, with a mark in the image's place.
        """
        mark = "-"
        callback = Base64Callback(
            status="completed",
            job_id=request.job_id,
            filename=request.filename,
            result_image_base64=mark,
            result_mime_type=edited.content_type,
        )
        before, after = callback.to_json().split(f'"result_image_base64":"{mark}"'.encode(), 1)
        result = self.resources.jobs.bucket.get(self._output_key(request, edited)).body
        encoded = binascii.b2a_base64(result, newline=False)
        del result
        return b"".join([before, b'"result_image_base64":"', encoded, b'"', after])

    def _url(self, request: JobRequest, edited: EditedImage) -> bytes:
        expires_in = self.resources.settings.cos_presign_expires
        key = self._output_key(request, edited)
        return UrlCallback(
            status="completed",
            job_id=request.job_id,
            filename=request.filename,
            object_key=key,
            result_url=self.resources.outputs.presigned_url(key, expires_in),
            expires_in=expires_in,
        ).to_json()

    def _output_key(self, request: JobRequest, edited: EditedImage) -> str:
        return output_key(request, self.resources.settings, edited.content_type)

    def _batch(self, request: JobRequest, summary: BatchSummary) -> bytes:
        status, errors = "completed_with_errors" if summary.failed else "completed", summary.errors[:MAX_ERRORS]
        return batch_callback(request, summary, self.resources.settings, status=status, errors=errors)
