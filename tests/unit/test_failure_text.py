"""What a caller reads of an error that a state of the state machine caught."""

import json

import pytest

from imagejobs.errors import failure_text

CRASHED = "the worker ended before it had an answer, perhaps because its memory ran out: try again"
LAMBDA_FAILED = "AWS Lambda failed to run the worker: try again later"
RUNTIME_CAUSE = json.dumps(
    {"errorType": "Runtime.ExitError", "errorMessage": "RequestId: 3f Error: Runtime exited with error: signal: killed"}
)
SDK_CAUSE = "Rate Exceeded. (Service: Lambda, Status Code: 429, Request ID: 3f)"


@pytest.mark.parametrize(
    ("error", "cause", "message"),
    [
        ("Runtime.ExitError", RUNTIME_CAUSE, CRASHED),
        ("Runtime.ImportModuleError", RUNTIME_CAUSE, CRASHED),
        (
            "Sandbox.Timedout",
            json.dumps({"errorMessage": "RequestId: 3f Error: Task timed out after 300.00 seconds"}),
            "the worker took longer than it may: try again",
        ),
        ("States.Timeout", "", "a step of the job took longer than it may: try again"),
        (
            "Lambda.TooManyRequestsException",
            SDK_CAUSE,
            "the service had no free worker for too long: try again later",
        ),
        ("Lambda.ServiceException", SDK_CAUSE, LAMBDA_FAILED),
        ("Lambda.Unknown", "The cause could not be determined. Request ID: 3f", LAMBDA_FAILED),
        # What this service and Step Functions say is for the caller as it is.
        ("ImageTooLargeError", json.dumps({"errorMessage": "too many pixels"}), "too many pixels"),
        ("States.DataLimitExceeded", "the result is too large", "the result is too large"),
        ("Runtime", "an exception of that name", "an exception of that name"),
    ],
)
def test_an_error_of_aws_is_one_plain_sentence_and_what_to_do(error: str, cause: str, message: str) -> None:
    told = failure_text(error, cause).partition(": ")

    assert told == (error, ": ", message)
