"""The sweeper: finds executions that ended without the last word, since their event was lost, and gives it to them."""

from datetime import datetime

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import BaseModel, ConfigDict

from functions.callback.delivery import DeliveryService
from functions.callback.events import ExecutionEnded
from imagejobs.executions import ExecutionName, Executions
from imagejobs.job_store import JobStore
from imagejobs.observability import loggable_error, loggable_stack

# Executions of each kind of end that one sweep looks at. One that needs nothing costs one read of the jobs bucket, so
# that all of them fit into the function's time.
MAX_EXECUTIONS = 5000


class Swept(BaseModel):
    """What a sweep came to: executions looked at, last words given, and those that could not be."""

    model_config = ConfigDict(hide_input_in_errors=True)

    looked_at: int = 0
    missed: int = 0
    failed: int = 0


def sweep(service: DeliveryService, since: datetime, until: datetime) -> Swept:
    """Give every execution that ended between `since` and `until` its last word, unless it has had one.

    What fails is logged and counted, and left to the next sweep.
    """
    swept = Swept()
    try:
        for name, execution in service.resources.executions.ended(since, MAX_EXECUTIONS):
            if execution["stopDate"] < until:
                swept.looked_at += 1
                _see_to(name, service, swept)
    except (ClientError, BotoCoreError) as error:
        swept.failed += 1
        service.logger.error("executions could not be listed", extra={"error": loggable_error(error)})
    service.metrics.add_metric("LastWordsMissed", "Count", swept.missed)
    service.metrics.add_metric("SweepsFailed", "Count", int(swept.failed > 0))
    service.logger.info("swept", extra=swept.model_dump())
    return swept


def _see_to(name: ExecutionName, service: DeliveryService, swept: Swept) -> None:
    try:
        if is_without_last_word(name, service.store, service.resources.executions):
            ended = ExecutionEnded.model_validate(service.resources.executions.find(name))
            swept.missed += service.last_word(name, ended.reason)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with one job must keep no other from its last word
        swept.failed += 1
        extra = {"execution": str(name), "error": loggable_error(error), "stack": loggable_stack(error)}
        service.logger.error("the last word could not be given", extra=extra)
    finally:
        service.logger.remove_keys(["job_id", "correlation_id"])


def is_without_last_word(name: ExecutionName, jobs: JobStore, executions: Executions) -> bool:
    """Tell of an execution that ended whether its delivery was left without an end, and nothing else sees to it."""
    delivery = jobs.get_delivery(name.job_id)
    if delivery.status != "pending" or delivery.round != name.round or delivery.is_posted_by_another(None):
        return False
    # A job's own execution has its last word by one of that name, which is looked at by itself when it has ended.
    return name.kind != "job" or executions.find_status(ExecutionName(name.job_id, "last-word")) is None
