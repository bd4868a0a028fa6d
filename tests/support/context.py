"""What Lambda gives a handler beside the event."""

from aws_lambda_powertools.utilities.typing import LambdaContext


class Context(LambdaContext):
    """The context of an invocation, with a minute left."""

    def __init__(self, function_name: str = "function") -> None:
        self._function_name = function_name
        self._memory_limit_in_mb = 1024
        self._invoked_function_arn = f"arn:aws:lambda:us-east-1:123456789012:function:{function_name}"
        self._aws_request_id = "request"

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        """The milliseconds left."""
        return 60_000
