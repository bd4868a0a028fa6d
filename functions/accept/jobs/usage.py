"""What a finished job took of the models that edited it, as its caller is told."""

from functions.accept.http.answers import BatchEstimate, JobUsage, ModelUsed
from imagejobs.job_request import JobRequest
from imagejobs.job_store import JobStore
from imagejobs.spent import list_spent
from imagejobs.usage import UsageSums, added_costs
from imagejobs.workflow import BatchSummary, EditedImage


def told_usage(
    request: JobRequest, edited: EditedImage | None, summary: BatchSummary | None, jobs: JobStore
) -> JobUsage | None:
    """Sum up a job's usage; None for a batch that is not summed up, as one that was ended and has no report yet.

    A batch's summary has it; of a single image, its edit and what was paid in vain for it.
    """
    if request.operation == "batch":
        if summary is None:
            return None
        models = summary.usage
    else:
        sums = UsageSums()
        for part in [*([edited.usage] if edited else []), *list_spent(jobs.bucket, request.job_id)]:
            sums.add(part)
        models = sums.by_model()
    return JobUsage(
        images=[ModelUsed(**model.model_dump()) for model in models],
        input_tokens=sum(model.input_tokens for model in models),
        output_tokens=sum(model.output_tokens for model in models),
        cost_usd=added_costs(model.cost_usd for model in models),
    )


def told_estimate(summary: BatchSummary | None) -> BatchEstimate | None:
    """The estimate of a dry run."""
    return BatchEstimate(**summary.estimate.model_dump()) if summary and summary.estimate else None
