"""The log line and the metrics of one image. The prompt and the image are in neither."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from aws_lambda_powertools.metrics import MetricUnit

from functions.process_image.engines.openai import Edit
from imagejobs.errors import ContentFlaggedError, JobDecidedError, RetryableError
from imagejobs.observability import make_logger, make_metrics
from imagejobs.workflow import EditedImage, EditRequest, RateLimited

logger = make_logger("process_image")
metrics = make_metrics("process_image")

type Record = Callable[[EditedImage | RateLimited, Edit | None], None]


@contextmanager
def observed(edit_request: EditRequest) -> Iterator[Record]:
    """Log and count one attempt at an image: the result that is given to what this yields, or the error it ends with.

    Each attempt counts as AttemptsFailed when it may be repeated, as ImagesFailed when it may not; what screening
    flags counts as ImagesFlagged besides.
    """
    logger.append_keys(**edit_request.model_dump(exclude_none=True))
    _count("Retries", int(edit_request.attempt > 1))
    try:
        yield _record
    except Exception as error:
        if not isinstance(error, JobDecidedError):
            _count("AttemptsFailed" if isinstance(error, RetryableError) else "ImagesFailed")
        if isinstance(error, ContentFlaggedError):
            _count("ImagesFlagged")
        # Its message goes to the caller through the state machine; the log has its name alone.
        logger.warning("image not edited", error=type(error).__name__)
        raise
    finally:
        metrics.flush_metrics()
        logger.remove_keys([*EditRequest.model_fields, "correlation_id"])


def _record(result: EditedImage | RateLimited, edit: Edit | None) -> None:
    if isinstance(result, RateLimited):
        _count("RateLimits")
        logger.info("rate limited", wait_seconds=result.wait_seconds)
        return
    logger.info("image edited", new=edit is not None, **result.model_dump(exclude_none=True))
    if edit is None:  # counted by the attempt that made it
        return
    _count("ImagesProcessed")
    if edit.engine == "local_fallback":
        _count("Fallbacks")
        return
    metrics.add_metric("OpenAILatency", MetricUnit.Milliseconds, edit.openai_ms)
    _count("InputTokens", edit.input_tokens)
    _count("OutputTokens", edit.output_tokens)


def _count(name: str, value: int = 1) -> None:
    metrics.add_metric(name, MetricUnit.Count, value)
