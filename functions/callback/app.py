"""Lambda function `callback`: delivers a job's payload, gives a delivery up, and has the last word.

Invoked by the state machine with `workflow.DeliverRequest` or `workflow.DeadLetterRequest`, and by EventBridge with
"Step Functions Execution Status Change" when an execution ended as FAILED, TIMED_OUT or ABORTED.
"""

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from functions.callback.delivery import DeliveryService
from functions.callback.events import ExecutionEnded
from functions.callback.settings import get_settings
from imagejobs.errors import failure_text
from imagejobs.executions import Executions, step_functions_client
from imagejobs.job_store import JobStore
from imagejobs.observability import make_logger, make_metrics
from imagejobs.secrets import load_secrets
from imagejobs.storage import Bucket, s3_client
from imagejobs.workflow import DeadLetterRequest, DeliverRequest

if TYPE_CHECKING:
    from mypy_boto3_sqs.client import SQSClient

logger = make_logger("callback")
metrics = make_metrics("callback")


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any] | None:
    """Do what the event asks for; errors are named for the state machine's Retry and Catch."""
    if "detail-type" in event:
        ended = ExecutionEnded.model_validate(event["detail"])
        if ended.execution:
            service().last_word(ended.execution, ended.words)
        return None
    if event.get("action") == "dead_letter":
        request = DeadLetterRequest.model_validate(event)
        error = failure_text(request.error.error, request.error.cause)
        return service().dead_letter(request.job_id, error).model_dump(mode="json")
    attempt = DeliverRequest.model_validate(event)
    return service().deliver(attempt.job_id, attempt.outcome, attempt.retries).model_dump(mode="json")


@lru_cache
def service() -> DeliveryService:
    """The delivery service of this process, on the clients and settings of its environment."""
    own = get_settings()
    return DeliveryService(
        settings=own,
        store=JobStore(Bucket(s3_client(), own.jobs_bucket)),
        secrets=lambda: load_secrets(own.secret_arn),
        queue=_sqs_client,
        executions=lambda: Executions(step_functions_client(), own.state_machine_arn),
        logger=logger,
        metrics=metrics,
    )


@lru_cache
def _sqs_client() -> "SQSClient":
    import boto3

    return boto3.client("sqs")
