"""What the template asks of CloudWatch, in the emulator as on AWS."""

from tests.integration.local.conftest import Aws

ALARM = {"ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": 1, "Threshold": 0.5}
RATE = {"Id": "rate", "Expression": "failed * 2"}
FAILED = {"Namespace": "Test", "MetricName": "failed"}
QUERY = {"Id": "failed", "ReturnData": False, "MetricStat": {"Stat": "Sum", "Period": 60, "Metric": FAILED}}
RESOURCES = {
    "Rate": ("AWS::CloudWatch::Alarm", ALARM | {"Metrics": [RATE, QUERY]}),
    "Simple": ("AWS::CloudWatch::Alarm", ALARM | FAILED | {"Period": 60, "Statistic": "Sum"}),
    "Query": ("AWS::Logs::QueryDefinition", {"Name": "folder/query", "QueryString": "fields @message"}),
}


def test_a_stack_may_have_alarms_on_a_rate_and_on_a_metric_and_saved_queries(aws: Aws) -> None:
    made = aws.stack(
        {
            "Resources": {name: {"Type": kind, "Properties": given} for name, (kind, given) in RESOURCES.items()},
            "Outputs": {name: {"Value": {"Ref": name}} for name in RESOURCES},
        }
    )
    cloudwatch = aws("cloudwatch")
    cloudwatch.put_metric_data(Namespace="Test", MetricData=[{"MetricName": "failed", "Value": 3}])
    alarms = cloudwatch.describe_alarms(AlarmNames=[made["Rate"], made["Simple"]])["MetricAlarms"]

    states = {alarm["AlarmName"]: alarm["StateValue"] for alarm in alarms}
    assert states == {made["Rate"]: "INSUFFICIENT_DATA", made["Simple"]: "ALARM"}
    assert made["Query"]
