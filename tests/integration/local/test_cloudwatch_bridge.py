"""What the template asks of CloudWatch, in the emulator as on AWS."""

from typing import Any

from tests.integration.local.conftest import Aws

ALARM = {
    "ComparisonOperator": "GreaterThanThreshold",
    "EvaluationPeriods": 1,
    "Threshold": 0.5,
    "TreatMissingData": "notBreaching",
}


def metric(name: str) -> dict[str, Any]:
    query = {"Stat": "Sum", "Period": 60, "Metric": {"Namespace": "Test", "MetricName": name}}
    return {"Id": name, "ReturnData": False, "MetricStat": query}


def test_a_stack_may_have_alarms_on_a_rate_and_on_a_metric_and_saved_queries(aws: Aws) -> None:
    rate = {"Id": "rate", "Expression": "failed / SUM([failed, done])"}
    outputs = aws.stack(
        {
            "Resources": {
                "Rate": {
                    "Type": "AWS::CloudWatch::Alarm",
                    "Properties": {**ALARM, "Metrics": [rate, metric("failed"), metric("done")]},
                },
                "Simple": {
                    "Type": "AWS::CloudWatch::Alarm",
                    "Properties": {
                        **ALARM,
                        "Namespace": "Test",
                        "MetricName": "failed",
                        "Period": 60,
                        "Statistic": "Sum",
                    },
                },
                "Query": {
                    "Type": "AWS::Logs::QueryDefinition",
                    "Properties": {"Name": "folder/query", "QueryString": "fields @message"},
                },
            },
            "Outputs": {name: {"Value": {"Ref": name}} for name in ("Rate", "Simple", "Query")},
        }
    )
    cloudwatch = aws("cloudwatch")
    cloudwatch.put_metric_data(Namespace="Test", MetricData=[{"MetricName": "failed", "Value": 3}])
    alarms = cloudwatch.describe_alarms(AlarmNames=[outputs["Rate"], outputs["Simple"]])["MetricAlarms"]

    assert {alarm["AlarmName"]: alarm["StateValue"] for alarm in alarms} == {
        outputs["Rate"]: "INSUFFICIENT_DATA",
        outputs["Simple"]: "ALARM",
    }
    assert outputs["Query"]
