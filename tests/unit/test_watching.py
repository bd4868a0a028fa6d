"""Alarms, dashboard and saved queries watch what the code really counts and logs, and each alarm says what to do."""

import ast
import json
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from botocore import xform_name
from botocore.session import Session

from imagejobs.workflow import EditedImage, EditRequest
from tools.render import template

ROOT = Path(__file__).parents[2]
RESOURCES: dict[str, Any] = template()["Resources"]
ALARMS = {name: one["Properties"] for name, one in RESOURCES.items() if one["Type"] == "AWS::CloudWatch::Alarm"}
QUERIES = {
    name: one["Properties"]["QueryString"]
    for name, one in RESOURCES.items()
    if one["Type"] == "AWS::Logs::QueryDefinition"
}
OWN = {"Fn::Sub": "ImageJobs/${AWS::StackName}"}
# What metric filters count of the logs.
FILTERED = {
    transformation["MetricName"]
    for one in RESOURCES.values()
    if one["Type"] == "AWS::Logs::MetricFilter"
    for transformation in one["Properties"]["MetricTransformations"]
}
# What AWS's services count, as their developer guides say under "CloudWatch metrics".
OF_AWS = {
    "AWS/States": {
        *("ExecutionsStarted", "ExecutionsSucceeded", "ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted"),
    },
    "AWS/ApiGateway": {"Count", "4XXError", "5XXError", "Latency"},
    "AWS/Lambda": {"Errors", "Throttles"},
    "AWS/SQS": {"ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"},
}
# What Powertools' Logger puts into a line by itself.
OF_THE_LOGGER = {"service", "level", "message", "job_id", "operation", "exception_name"}


def calls(function: str, *names: str) -> Iterator[ast.Call]:
    """Every call of a function or method of one of `names` in the code of one function."""
    for path in (ROOT / "functions" / function).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in names:
                yield node


def strings(node: ast.AST) -> set[str]:
    return {one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str)}


@lru_cache
def counted() -> dict[str, set[str]]:
    """The metrics that each function counts."""
    found: dict[str, set[str]] = defaultdict(set)
    for folder in (ROOT / "functions").iterdir():
        for call in calls(folder.name, "add_metric", "_count"):
            found[folder.name] |= strings(call.args[0])
    return found


@lru_cache
def logged() -> tuple[set[str], set[str]]:
    """The messages that the functions log, and the fields that their lines have."""
    messages, fields = set(), {*OF_THE_LOGGER, *EditedImage.model_fields, *EditRequest.model_fields}
    for folder in (ROOT / "functions").iterdir():
        for call in calls(folder.name, "info", "warning", "error", "exception", "log"):
            messages |= strings(call.args[0]) if call.args else set()
            fields |= {keyword.arg for keyword in call.keywords if keyword.arg}
            for extra in (keyword.value for keyword in call.keywords if keyword.arg == "extra"):
                fields |= strings(extra)
    return messages, fields


def watched(alarm: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The metrics of an alarm: its own, or those of its expression."""
    if "MetricName" in alarm:
        yield alarm
    for query in alarm.get("Metrics", []):
        if "MetricStat" in query:
            yield query["MetricStat"]["Metric"]


def exists(namespace: Any, metric: str, dimensions: dict[str, Any]) -> bool:
    if namespace == OWN and not dimensions:
        return metric in FILTERED
    if namespace == OWN:
        return metric in counted()[dimensions["service"]]
    return metric in OF_AWS[namespace]


@pytest.mark.parametrize("name", ALARMS)
def test_every_alarm_watches_metrics_that_are_counted(name: str) -> None:
    metrics = list(watched(ALARMS[name]))

    assert metrics
    for metric in metrics:
        dimensions = {one["Name"]: one["Value"] for one in metric["Dimensions"]}
        assert exists(metric["Namespace"], metric["MetricName"], dimensions), metric


@pytest.mark.parametrize("name", [name for name, alarm in ALARMS.items() if "Metrics" in alarm])
def test_an_alarms_expression_uses_all_of_its_metrics_and_nothing_else(name: str) -> None:
    (result, *metrics) = ALARMS[name]["Metrics"]
    names = set(re.findall(r"\b[a-z_]+\b", result["Expression"]))

    assert names == {metric["Id"] for metric in metrics}
    assert [metric["ReturnData"] for metric in metrics] == [False] * len(metrics)


@pytest.mark.parametrize("name", ALARMS)
def test_every_alarm_calls_somebody_tells_the_end_and_is_silent_while_nobody_calls(name: str) -> None:
    assert ALARMS[name]["AlarmActions"] == ALARMS[name]["OKActions"] == [{"Ref": "AlarmTopic"}]
    assert ALARMS[name]["TreatMissingData"] == "notBreaching"


def test_every_alarm_has_a_section_of_the_runbook_with_a_command_and_names_it() -> None:
    text = (ROOT / "docs" / "runbook.md").read_text()
    sections = {part.splitlines()[0]: part for part in re.split(r"^### ", text, flags=re.MULTILINE)[1:]}

    assert set(sections) == set(ALARMS)
    for name, alarm in ALARMS.items():
        assert alarm["AlarmDescription"].endswith(f". What to do: docs/runbook.md#{name.lower()}")
        assert all(f"**{part}**" in sections[name] for part in ("Means", "Look", "Do")), name
        assert "```bash" in sections[name], name


def test_an_address_is_called_only_where_one_is_given() -> None:
    assert RESOURCES["AlarmByEmail"]["Condition"] == "UseAlarmEmail"
    assert RESOURCES["AlarmByEmail"]["Properties"]["Endpoint"] == {"Ref": "AlarmEmail"}


def dashboard() -> list[dict[str, Any]]:
    """The dashboard's widgets, with the names of resources in the place of their values."""
    text, values = RESOURCES["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    for name, value in values.items():
        if isinstance(value, dict) and "Fn::If" in value:
            value = value["Fn::If"][1]["Fn::Sub"]  # where its condition holds
        text = text.replace(f"${{{name}}}", value if isinstance(value, str) else "own")
    widgets: list[dict[str, Any]] = json.loads(re.sub(r"\${([\w:.]+)}", r"\1", text))["widgets"]
    return widgets


def test_the_dashboard_shows_metrics_that_are_counted() -> None:
    shown = 0
    for widget in (one["properties"] for one in dashboard() if one["type"] == "metric"):
        above: list[str] = []
        for row in widget["metrics"]:
            parts = [part for part in row if isinstance(part, str)]
            if not parts:
                continue  # an expression
            if parts[0] == "...":
                parts = [*above[: len(above) - len(parts) + 1], *parts[1:]]
            above = [above[at] if part == "." else part for at, part in enumerate(parts)]
            namespace, metric, *pairs = above
            dimensions = dict(zip(pairs[::2], pairs[1::2], strict=True))
            assert exists(OWN if namespace == "own" else namespace, metric, dimensions), above
            shown += 1

    assert shown > 30


def test_the_dashboard_shows_every_alarm_and_covers_no_widget_by_another() -> None:
    (alarms,) = [widget["properties"]["alarms"] for widget in dashboard() if widget["type"] == "alarm"]
    assert sorted(alarms) == sorted(f"{name}.Arn" for name in ALARMS)
    cells = [
        (one["x"] + right, one["y"] + down)
        for one in dashboard()
        for right in range(one["width"])
        for down in range(one["height"])
    ]
    assert len(cells) == len(set(cells))
    assert max(column for column, _ in cells) == 23


def test_every_metric_of_the_code_is_on_the_dashboard() -> None:
    text = json.dumps(dashboard())

    assert [name for names in counted().values() for name in names if f'"{name}"' not in text] == []


BATCHES = next(widget["properties"]["query"] for widget in dashboard() if widget["type"] == "log")


@pytest.mark.parametrize("query", [*QUERIES.values(), BATCHES], ids=[*QUERIES, "Batches"])
def test_a_saved_query_asks_for_messages_and_fields_that_are_logged(query: str) -> None:
    messages, fields = logged()
    quoted = set(re.findall(r"'([^'{]+)'", re.sub(r"SOURCE '\w+'", "", query)))
    assert quoted - {"batch"} <= messages | {"list_images"}
    bare = re.sub(r"'[^']*'|/.*?/|\bas \w+|@\w+|SOURCE", "", query)
    made = set(re.findall(r"\bas (\w+)|\?<(\w+)>", query))
    own = {name for names in made for name in names if name}
    words = set(re.findall(r"\b[a-z_]+\b(?!\()", bare)) - own
    grammar = {"fields", "filter", "sort", "stats", "limit", "parse", "by", "in", "and", "or", "asc", "desc"}

    assert words - grammar <= fields | {"total_files"}


def test_a_jobs_story_is_asked_for_by_the_jobs_id() -> None:
    (parameter,) = RESOURCES["JobStory"]["Properties"]["Parameters"]

    assert f"{{{{{parameter['Name']}}}}}" in QUERIES["JobStory"]


RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()


def test_the_runbooks_commands_are_valid_bash() -> None:
    blocks = re.findall(r"```bash\n(.*?)```", RUNBOOK, re.DOTALL)

    assert blocks
    checked = subprocess.run(["bash", "-n"], input="\n".join(blocks), capture_output=True, text=True)
    assert checked.stderr == ""


COMMANDS = re.findall(r"\baws ([a-z-]+) ([a-z-]+) ?(.*)", RUNBOOK)


@pytest.mark.parametrize(("service", "operation", "options"), COMMANDS)
def test_the_runbooks_aws_commands_exist_with_their_options(service: str, operation: str, options: str) -> None:
    """The AWS CLI's commands and options are the operations and members of the SDK's service models."""
    model = Session().get_service_model(service)
    named = {xform_name(name, "-"): name for name in model.operation_names}
    shape = model.operation_model(named[operation]).input_shape
    members = shape.members if shape else {}
    # The last one is the CLI's name for SNS's endpoint.
    of_the_cli = {"query", "output", "cli-binary-format", "notification-endpoint"}

    given = set(re.findall(r"(?:^| )--([a-z-]+)", options))
    assert given - of_the_cli <= {xform_name(name, "-") for name in members}


def test_the_runbook_asks_for_outputs_and_resources_that_the_stack_has() -> None:
    assert set(re.findall(r"\boutput ([A-Z]\w+)", RUNBOOK)) <= set(template()["Outputs"])
    assert set(re.findall(r"\(resource (\w+)\)", RUNBOOK)) <= set(RESOURCES)
