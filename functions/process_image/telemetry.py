"""The log line and the metrics of one image. The prompt and the image are in neither."""

from collections.abc import Iterator
from contextlib import contextmanager

from aws_lambda_powertools.metrics import MetricUnit

from imagejobs.catalogue import LOCAL
from imagejobs.errors import ContentFlaggedError, EngineInvalidAnswerError, JobDecidedError, RetryableError
from imagejobs.observability import loggable_error, make_logger, make_metrics, make_model_metrics
from imagejobs.usage import ModelUsage
from imagejobs.workflow import EditedImage, EditRequest, HandedOver, RateLimited

logger = make_logger("process_image")
metrics = make_metrics("process_image")


@contextmanager
def observed(edit_request: EditRequest) -> Iterator[None]:
    """Log and count the error that one attempt at an image ends with; `record` and `record_usage` tell the rest.

    Each attempt counts as AttemptsFailed when it may be repeated, as ImagesFailed when it may not. Besides, what
    screening flags counts as ImagesFlagged, and a lost edit as ProbablyPaidTwice. (A worker that dies with one cannot
    count: Lambda's log is, by the metric filter WorkersLost of template.yaml.)
    """
    logger.append_keys(**edit_request.model_dump(exclude_none=True))
    _count("Retries", int(edit_request.attempt > 1))
    try:
        yield
    except Exception as error:
        if not isinstance(error, JobDecidedError):
            _count("AttemptsFailed" if isinstance(error, RetryableError) else "ImagesFailed")
        # `edit` reports the second one as refused, after a wait.
        if isinstance(error, EngineInvalidAnswerError) or isinstance(error.__cause__, EngineInvalidAnswerError):
            _count("InvalidAnswers")
        if _may_have_cost(error) or _may_have_cost(error.__cause__):
            _count("ProbablyPaidTwice")
        if isinstance(error, ContentFlaggedError):
            _count("ImagesFlagged")
        # Its message goes to the caller through the state machine.
        logger.warning("image not edited", error=loggable_error(error))
        raise
    finally:
        metrics.flush_metrics()
        logger.remove_keys([*EditRequest.model_fields, "correlation_id"])


def record(edit_request: EditRequest, result: EditedImage | RateLimited | HandedOver, *, is_new: bool) -> None:
    """Log and count what an attempt came to; an edit that is not new was counted by the attempt that made it."""
    if isinstance(result, HandedOver):
        _count("HandedOver")
        logger.info("handed over")
        return
    if isinstance(result, RateLimited):
        # An image may also wait because others do, without asking.
        _count("RateLimits", result.rate_limited - edit_request.waited.rate_limited)
        logger.info("rate limited", wait_seconds=result.wait_seconds)
        return
    logger.info("image edited", new=is_new, **result.model_dump(exclude_none=True))
    if is_new:
        _count("ImagesProcessed")
        if result.engine == LOCAL and result.stands_in_for:
            _count("Fallbacks")


def record_billing_limit() -> None:
    """Count an edit that an engine refused at its billing limit, whatever comes of the image then."""
    _count("BillingLimits")


def record_passed_over(model: str, missing: list[str]) -> None:
    """Log that a model was to stand in and cannot be asked, with the names of the settings and secrets missing."""
    logger.warning("stand-in passed over", stand_in=model, missing=missing)


def record_usage(took: ModelUsage, ms: int) -> None:
    """Count what an answer took, in all and by model: what is paid counts even when the image fails."""
    metrics.add_metric("OpenAILatency", MetricUnit.Milliseconds, ms)
    of_the_model = make_model_metrics("process_image", took.engine, took.model or "")
    for counts in (metrics, of_the_model):
        counts.add_metric("InputTokens", MetricUnit.Count, took.input_tokens)
        counts.add_metric("OutputTokens", MetricUnit.Count, took.output_tokens)
        if took.cost_usd is not None:
            counts.add_metric("CostUSD", MetricUnit.NoUnit, took.cost_usd)
    of_the_model.flush_metrics()


def _may_have_cost(error: BaseException | None) -> bool:
    """Whether an answer that may have been paid for was lost, and the edit will be asked for, and paid for, again."""
    return getattr(error, "may_have_cost", False)


def _count(name: str, value: int = 1) -> None:
    metrics.add_metric(name, MetricUnit.Count, value)
