"""The function around a batch's map run: lists the images before it, adds up what became of them after it."""

from typing import Annotated, Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, Field, TypeAdapter

from functions.batch_fanout.manifest import list_images
from functions.batch_fanout.settings import get_settings
from functions.batch_fanout.summary import summarize_batch
from imagejobs.job_store import JobRequest, JobStore
from imagejobs.observability import make_logger
from imagejobs.secrets import load_secrets
from imagejobs.storage import Bucket, image_client, s3_client
from imagejobs.workflow import ListImages, SummarizeBatch

logger = make_logger("batch_fanout")
_task: TypeAdapter[ListImages | SummarizeBatch] = TypeAdapter(
    Annotated[ListImages | SummarizeBatch, Field(discriminator="action")]
)


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001
    """Run one of the two tasks; answers `workflow.Manifest` or `workflow.BatchSummary`."""
    task = _task.validate_python(event)
    settings = get_settings()
    store = JobStore(Bucket(s3_client(), settings.jobs_bucket))
    request = store.recorded(task.job_id)
    with logger.append_context_keys(job_id=request.job_id, correlation_id=request.correlation_id):
        answer = _run(task, request, store)
        logger.info(task.action, extra=answer.model_dump(include={"total_files", "processed", "failed"}))
    return answer.model_dump()


def _run(task: ListImages | SummarizeBatch, request: JobRequest, store: JobStore) -> BaseModel:
    settings = get_settings()
    images = image_client(settings, load_secrets(settings.secret_arn))
    target = Bucket(images, settings.output_bucket)
    if isinstance(task, ListImages):
        return list_images(request, Bucket(images, settings.cos_input_bucket), target, store, settings)
    return summarize_batch(task, request, target, store, settings)
