"""Lambda function `callback`: delivers a job's payload, gives a delivery up, has the last word, and posts progress.

Invoked by the state machine with `workflow.DeliverRequest`, `GiveUpRequest` or `RecordDeadLetter`, and with
`progress.ReportRequest`; by EventBridge with
"Step Functions Execution Status Change" when an execution ended as FAILED, TIMED_OUT or ABORTED, and every 15 minutes
with `events.SweepRequest`.
"""

from functools import lru_cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.callback.delivery import DeliveryService
from functions.callback.events import ExecutionEnded, SweepRequest
from functions.callback.progress import ProgressReporter, ReportRequest
from functions.callback.settings import CallbackSettings
from functions.callback.sweeper import sweep
from imagejobs.errors import failure_text
from imagejobs.observability import make_logger, make_metrics
from imagejobs.resources import Resources
from imagejobs.workflow import DeliverRequest, GiveUpRequest, RecordDeadLetter

logger = make_logger("callback")
metrics = make_metrics("callback")


@lru_cache
def resources() -> Resources[CallbackSettings]:
    """What this process works with."""
    return Resources(CallbackSettings.from_environment())


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any] | None:  # noqa: ARG001
    """Do what the event asks for; errors are named for the state machine's Retry and Catch."""
    if event.get("action") == "report_progress":
        reporter = ProgressReporter(resources(), logger)
        return reporter.report(ReportRequest.model_validate(event).reports).model_dump(mode="json")
    service = DeliveryService(resources(), logger, metrics)
    if "detail-type" in event:
        ended = ExecutionEnded.model_validate(event["detail"])
        if ended.execution:
            service.last_word(ended.execution, ended.reason)
        return None
    if event.get("action") == "sweep":
        return sweep(service, *SweepRequest.model_validate(event).period()).model_dump()
    if event.get("action") == "give_up":
        request = GiveUpRequest.model_validate(event)
        error = failure_text(request.error.error, request.error.cause)
        return service.give_up(request.job_id, error, request.execution).model_dump()
    if event.get("action") == "record_dead_letter":
        return service.record_dead_letter(RecordDeadLetter.model_validate(event).job_id).model_dump(mode="json")
    attempt = DeliverRequest.model_validate(event)
    return service.deliver(attempt.job_id, attempt.outcome, attempt.execution).model_dump(mode="json")
