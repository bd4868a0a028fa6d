"""Lambda has no room for an edit, as in a small account: images wait for it, and it counts as no attempt."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from imagejobs.executions import ExecutionName, Executions
from local.stack import StackInfo
from standins.openai import OpenAIStandIn
from tests.e2e.conftest import Service
from tests.support.pictures import picture
from tests.support.waiting import wait_until
from tools.cost.history import names


@contextmanager
def throttled(stack: StackInfo) -> Iterator[None]:
    """Take every execution environment of the function that edits away (Lambda, PutFunctionConcurrency)."""
    functions, name = stack.client("lambda"), stack.function_name("ProcessSmallImageFunction")
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    try:
        yield
    finally:
        functions.delete_function_concurrency(FunctionName=name)


def children(client: Any, batch: str) -> list[str]:
    """The ARNs of a batch's child executions that there are yet."""
    runs = client.list_map_runs(executionArn=batch)["mapRuns"]
    listed = [client.list_executions(mapRunArn=run["mapRunArn"])["executions"] for run in runs]
    return [child["executionArn"] for found in listed for child in found]


def test_a_throttled_image_waits_and_counts_its_own_attempts_alone(
    service: Service, stack: StackInfo, input_folder: Callable[..., str], openai: OpenAIStandIn
) -> None:
    client = stack.client("stepfunctions")
    executions = Executions(client, stack.state_machine_arn)
    openai.fail("moderation", prompt="<refused>")
    folder = input_folder(refused_png=picture())
    with throttled(stack):
        batch = service.submit_batch(prefix=folder, prompt="<refused>")
        single = service.submit_url()
        arns = {job: executions.arn(ExecutionName(job)) for job in (batch, single)}
        wait_until(lambda: names(client, arns[single]).count("CountThrottle") > 1, what="a second throttle")
        wait_until(partial(children, client, arns[batch]), what="the batch's child")
        (child,) = children(client, arns[batch])
        wait_until(lambda: names(client, child).count("CountOnesThrottle") > 1, what="a child's second throttle")
        assert openai.calls == []

    assert service.callback(single)["status"] == "completed"
    assert service.callback(batch)["failed"] == 1
    (row,) = map(json.loads, service.http.get(service.job(batch)["result"]["report_url"]).text.splitlines())
    assert row["attempts"] == 1
    assert row["error"].startswith("BadRequestError: ")
    assert len(openai.calls) == 2
