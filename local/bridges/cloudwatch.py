"""Bridge of what CloudFormation makes of CloudWatch.

| on AWS                                                       | ministack 1.5.33                              |
|--------------------------------------------------------------|-----------------------------------------------|
| an AWS::CloudWatch::Alarm may have `Metrics` (metric math)   | refused; here such an alarm is kept and never |
|                                                              | evaluated                                     |
| AWS::Logs::QueryDefinition                                   | not known; here nothing is kept of it         |

Sources: CloudFormation reference, "AWS::CloudWatch::Alarm" and "AWS::Logs::QueryDefinition".
"""

from typing import Any
from uuid import uuid4

from ministack.services.cloudformation import provisioners

_alarm_record = provisioners._cw_metric_alarm_record


def apply() -> None:
    """Put this bridge in place."""
    provisioners._cw_metric_alarm_record = alarm_record
    provisioners._RESOURCE_HANDLERS["AWS::Logs::QueryDefinition"] = {
        "create": lambda _logical_id, _properties, _stack_name: (str(uuid4()), {}),
        "update": lambda physical_id, _old, _new, _stack_name: (physical_id, {}),
        "delete": lambda _physical_id, _properties: None,
    }


def alarm_record(name: str, properties: dict[str, Any]) -> dict[str, Any]:
    """The emulator's record of an alarm. One without a metric of its own is never evaluated."""
    if "Metrics" not in properties:
        return dict(_alarm_record(name, properties))
    simple = {key: value for key, value in properties.items() if key != "Metrics"}
    record = dict(_alarm_record(name, simple | {"Namespace": "-", "MetricName": "-"}))
    del record["Namespace"], record["MetricName"]
    return record | {"Metrics": properties["Metrics"]}
