"""What watches over the stack on the embedded AWS: the sweeper, alarms and dashboard, the retry of failed images."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from imagejobs.executions import ExecutionName, Executions
from local.stack import StackInfo
from standins.openai import OpenAIStandIn
from tests.e2e.conftest import Service
from tests.support.pictures import picture
from tests.support.waiting import wait_until


def function_named(stack: StackInfo, part: str) -> str:
    functions = stack.client("lambda").list_functions()["Functions"]
    (name,) = [one["FunctionName"] for one in functions if part in one["FunctionName"]]
    return str(name)


def rules(stack: StackInfo) -> dict[str, dict[str, Any]]:
    """The rules of EventBridge by what they wait for: an event's source, or a schedule."""
    listed = stack.client("events").list_rules()["Rules"]
    return {"schedule" if "ScheduleExpression" in rule else "event": rule for rule in listed}


@pytest.fixture
def no_events(stack: StackInfo) -> Iterator[None]:
    """Step Functions' events get lost."""
    name = rules(stack)["event"]["Name"]
    stack.client("events").disable_rule(Name=name)
    yield
    stack.client("events").enable_rule(Name=name)


def sweep(stack: StackInfo) -> dict[str, int]:
    """What the schedule does, without the time that it gives an event to arrive."""
    answer = stack.client("lambda").invoke(
        FunctionName=function_named(stack, "CallbackFunction"),
        Payload=json.dumps({"action": "sweep", "grace_seconds": 0}),
    )
    swept: dict[str, int] = json.loads(answer["Payload"].read())
    return swept


@pytest.mark.usefixtures("no_events")
def test_a_job_whose_event_was_lost_ends_in_one_callback_all_the_same(
    service: Service, openai: OpenAIStandIn, stack: StackInfo
) -> None:
    executions = Executions(stack.client("stepfunctions"), stack.state_machine_arn)
    openai.fail("hang", seconds=2)
    job_id = service.submit_url()
    wait_until(lambda: openai.calls, what="the edit")
    executions.stop(ExecutionName(job_id), error="stopped", cause="by a person")
    wait_until(lambda: executions.find_status(ExecutionName(job_id)) == "ABORTED", what="the end")
    assert service.callbacks(job_id) == []

    assert sweep(stack)["missed"] == 1
    payload = service.callback(job_id)
    assert sweep(stack)["missed"] == 0

    assert (payload["status"], payload["error"]) == (
        "failed",
        "aborted: the job's execution was stopped before its end",
    )
    wait_until(lambda: service.job(job_id)["delivery"]["status"] == "delivered", what="the record of the delivery")
    assert len(service.callbacks(job_id)) == 1


def test_the_schedule_calls_the_sweeper(stack: StackInfo) -> None:
    rule = rules(stack)["schedule"]
    (target,) = stack.client("events").list_targets_by_rule(Rule=rule["Name"])["Targets"]

    assert (rule["ScheduleExpression"], rule["State"]) == ("rate(15 minutes)", "ENABLED")
    assert json.loads(target["Input"]) == {"action": "sweep"}
    assert function_named(stack, "CallbackFunction") in target["Arn"]


def test_alarms_and_dashboard_are_deployed(stack: StackInfo) -> None:
    cloudwatch = stack.client("cloudwatch")
    alarms = cloudwatch.describe_alarms()["MetricAlarms"]
    (dashboard,) = cloudwatch.list_dashboards()["DashboardEntries"]
    body = json.loads(cloudwatch.get_dashboard(DashboardName=dashboard["DashboardName"])["DashboardBody"])
    (shown,) = [widget["properties"]["alarms"] for widget in body["widgets"] if widget["type"] == "alarm"]

    assert sorted(shown) == sorted(alarm["AlarmArn"] for alarm in alarms)
    (api,) = stack.client("apigateway").get_rest_apis()["items"]
    (of_the_api,) = [alarm for alarm in alarms if "ApiFails" in alarm["AlarmName"]]
    assert {one["Name"]: one["Value"] for one in of_the_api["Dimensions"]} == {"ApiName": api["name"], "Stage": "v1"}
    assert stack.client("sns").list_topics()["Topics"]


def test_failed_images_are_edited_again_and_no_others(
    service: Service, openai: OpenAIStandIn, input_folder: Callable[..., str], stack: StackInfo
) -> None:
    folder = input_folder(a_png=picture(), b_jpg=picture(file_format="JPEG"), c_png=picture())
    openai.fail("moderation", filename="image.jpeg", times=1)
    batch = service.submit_batch(prefix=folder, output_prefix="run-9")
    assert (service.callback(batch)["status"], service.callback(batch)["failed"]) == ("completed_with_errors", 1)
    edits = len(openai.calls)

    answer = service.http.post(f"/jobs/{batch}/retry")
    assert answer.status_code == 202, answer.text
    retry = answer.json()["job_id"]
    payload = service.callback(retry)

    assert (payload["status"], payload["total_files"], payload["processed"]) == ("completed", 1, 1)
    assert payload["output_prefix"] == f"results/batch/run-9/{retry}/"
    assert len(openai.calls) == edits + 1
    assert service.job(retry)["retry_of"] == batch
    assert service.http.post(f"/jobs/{retry}/retry").status_code == 409


def test_the_deep_health_check_finds_everything_well(service: Service) -> None:
    leads = service.http.get("/health", params={"deep": 1})
    answer = service.http.get(leads.headers["Location"])

    assert (leads.status_code, answer.status_code) == (307, 200), answer.text
    assert answer.json()["ok"] is True
    assert set(answer.json()["checks"]) >= {"jobs_bucket", "output_bucket", "secret", "state_machine", "openai"}
