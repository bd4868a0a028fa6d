"""Lambda function `batch_fanout`: lists a batch's images before its map run, adds up what became of them after it.

Of a batch that was ended before its end it reports what was made.
"""

from functools import lru_cache
from typing import Annotated, Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from functions.batch_fanout.dry_run import summarize_dry_run
from functions.batch_fanout.manifest import list_images
from functions.batch_fanout.references import keep_references
from functions.batch_fanout.settings import BatchFanoutSettings
from functions.batch_fanout.stopped import report_stopped
from functions.batch_fanout.summary import summarize_batch
from imagejobs.job_request import JobRequest
from imagejobs.observability import make_logger
from imagejobs.resources import Resources
from imagejobs.workflow import ListImages, ReportStopped, SummarizeBatch

logger = make_logger("batch_fanout")
_task: TypeAdapter[ListImages | SummarizeBatch | ReportStopped] = TypeAdapter(
    Annotated[ListImages | SummarizeBatch | ReportStopped, Field(discriminator="action")],
    config=ConfigDict(hide_input_in_errors=True),
)


@lru_cache
def resources() -> Resources[BatchFanoutSettings]:
    """What this process works with."""
    return Resources(BatchFanoutSettings.from_environment())


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001
    """Run one of the three tasks; answers `workflow.Manifest`, `BatchCounts` or `StoppedBatch`."""
    task = _task.validate_python(event)
    request = resources().jobs.get_request(task.job_id)
    with logger.append_context_keys(job_id=request.job_id, correlation_id=request.correlation_id):
        answer = _run(task, request)
        logger.info(task.action, extra=answer.model_dump(include={"total_files", "processed", "failed"}))
    return answer.model_dump()


def _run(task: ListImages | SummarizeBatch | ReportStopped, request: JobRequest) -> BaseModel:
    own = resources()
    if isinstance(task, ListImages):
        keep_references(request, own.jobs, own.settings.source_policy)
        return list_images(request, own.inputs, own.outputs, own.jobs, own.settings)
    if isinstance(task, ReportStopped):
        return report_stopped(request, own.outputs, own.jobs, own.settings)
    if request.dry_run:
        return summarize_dry_run(task, request, own.jobs, own.settings)
    return summarize_batch(task, request, own.outputs, own.jobs, own.settings)
