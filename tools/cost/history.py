"""What Step Functions charges of an execution: the states that it entered."""

from typing import Any


def entered(step_functions: Any, execution_arn: str) -> list[dict[str, Any]]:
    """The name and input of each state that an execution entered, in order. (A retry enters none, and is charged.)"""
    pages = step_functions.get_paginator("get_execution_history").paginate(executionArn=execution_arn)
    events = [event for page in pages for event in page["events"]]
    return [event["stateEnteredEventDetails"] for event in events if "stateEnteredEventDetails" in event]


def names(step_functions: Any, execution_arn: str) -> list[str]:
    """The names alone."""
    return [one["name"] for one in entered(step_functions, execution_arn)]
