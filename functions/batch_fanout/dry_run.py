"""A batch that is only asked for: how many images it would edit, and what that would cost."""

from functions.batch_fanout.settings import BatchFanoutSettings
from imagejobs.estimates import bound_of, dollars, estimate
from imagejobs.job_request import JobRequest
from imagejobs.job_store import JobStore
from imagejobs.workflow import BatchCounts, BatchSummary, Estimate, SummarizeBatch


def summarize_dry_run(
    task: SummarizeBatch, request: JobRequest, store: JobStore, settings: BatchFanoutSettings
) -> BatchCounts:
    """Count the manifest's images, and tell by the callback's `errors` what they would cost: it has no field for that.

    The counts are 0, since no image was processed and none failed.
    """
    images = sum(1 for _ in store.bucket.lines(task.manifest_key))
    found = Estimate(images=images, cost_usd=estimate(request, settings, images))
    summary = BatchSummary(
        total_files=0,
        processed=0,
        failed=0,
        fallback_local=0,
        errors=[_notice(found, request, settings)],
        estimate=found,
    )
    store.put_summary(request.job_id, summary)
    return BatchCounts.model_validate(summary.model_dump())


def _notice(found: Estimate, request: JobRequest, settings: BatchFanoutSettings) -> str:
    told = f"dry run: {found.images:,} image{'' if found.images == 1 else 's'} would be edited"
    if found.cost_usd is None:
        cost = ", at a cost that is not known: prices.json and ModelPrices have no price for that"
    else:
        cost = f" for about {dollars(found.cost_usd)}"
    bound = bound_of(request, settings)
    refused = bound and (found.cost_usd is None or found.cost_usd > bound.usd)
    refusal = f". The batch would be refused, since the limit is {bound}" if refused else ""
    return f"{told}{cost}{refusal}. Nothing was edited or paid"
