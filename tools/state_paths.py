"""The ways that a job takes through the state machine, step by step: what each state is given and what must follow."""

import json
from dataclasses import dataclass, field
from typing import Any, Literal

from imagejobs.errors import CallbackFailedError

type Json = dict[str, Any]

_JOB: Json = {"job_id": "7c1e0c9a-5d1f-4a6e-9a54-0d6f5f1b2c3d"}
_EDITED: Json = {"status": "edited", "content_type": "image/png", "engine": "openai", "attempts": 1}
_RESULTS: Json = {"ResultWriterDetails": {"Bucket": "jobs", "Key": "map-runs/1/manifest.json"}}


@dataclass(frozen=True)
class Step:
    """One state on a way. A Task or Map is mocked: by `result`, or by an `error` after `retries`.

    `next` is the state that must follow, None at the end; `status` what Step Functions must call the outcome.
    """

    state: str
    next: str | None
    result: Json | None = None
    error: str = ""
    retries: int = 0
    status: Literal["SUCCEEDED", "FAILED", "RETRIABLE", "CAUGHT_ERROR"] = "SUCCEEDED"
    variables: Json = field(default_factory=dict)


@dataclass(frozen=True)
class Way:
    """A way from its first state's input on, each state's output being the next one's input.

    `child` says that the states are those of a batch's child execution.
    """

    name: str
    input: Json
    steps: tuple[Step, ...]
    child: bool = False


def invoked(state: str, following: str | None, **payload: Any) -> Step:
    """A function that answered."""
    return Step(state, following, {"StatusCode": 200, "Payload": payload})


def caught(state: str, following: str, error: str, retries: int = 0) -> Step:
    """A task that failed, and whose retries, if there are any, have run out."""
    return Step(state, following, error=error, retries=retries, status="CAUGHT_ERROR")


def retried(state: str, error: str, retries: int = 0) -> Step:
    """A task that failed and is tried again."""
    return Step(state, state, error=error, retries=retries, status="RETRIABLE")


_DELIVERED = (invoked("DeliverCallback", None, status="delivered"),)
_START = (Step("ChooseOperation", "StartSmall"), Step("StartSmall", "EditImage"))
_FAILS = (Step("ReportFailure", "DeliverCallback"), *_DELIVERED)
_WAIT: Json = {"status": "rate_limited", "wait_seconds": 0, "attempts": 1, "rate_limited": 1, "throttle_seconds": 5}
_LARGE: Json = {"status": "handed_over", "attempts": 0, "rate_limited": 0, "throttle_seconds": 5}
_THROTTLED = "Lambda.TooManyRequestsException"
_GIVEN_UP = caught("DeliverCallback", "GiveUp", CallbackFailedError.__name__, retries=20)
_LISTED = invoked("ListImages", "AreThereImages", manifest_key="m.jsonl", results_prefix="map-runs", total_files=2)
_BATCH = {**_JOB, "operation": "batch"}
_SINGLE = {**_JOB, "operation": "url"}
_EDITOR = {"function": "arn:aws:lambda:eu-central-1:123456789012:function:ProcessSmallImage", "may_hand_over": True}
_CHILD = {**_BATCH, "at": 0, "editor": _EDITOR, "outcome": {"image": {"attempts": 0, "throttle_seconds": 5}}}
_RETRIES: Json = {"retries": 2}

WAYS = (
    Way(
        "a single image is edited after a retry and a wait for its turn",
        _SINGLE,
        (
            *_START,
            retried("EditImage", "EngineRetryableError"),
            invoked("EditImage", "IsImageEdited", **_WAIT),
            Step("IsImageEdited", "WaitForTurn"),
            Step("WaitForTurn", "EditImage"),
            invoked("EditImage", "IsImageEdited", **_EDITED),
            Step("IsImageEdited", "DeliverCallback"),
            retried("DeliverCallback", "Runtime.ExitError"),
            *_DELIVERED,
        ),
    ),
    Way(
        "a throttled single image waits until Lambda has room",
        _SINGLE,
        (
            *_START,
            retried("EditImage", "EngineRetryableError"),
            caught("EditImage", "CountThrottle", _THROTTLED, retries=1),
            Step("CountThrottle", "WaitForTurn", variables={"retries": 1}),
            Step("WaitForTurn", "EditImage"),
            invoked("EditImage", "IsImageEdited", **_EDITED),
            Step("IsImageEdited", "DeliverCallback"),
            *_DELIVERED,
        ),
    ),
    Way(
        "a large single image is handed over",
        _SINGLE,
        (
            *_START,
            invoked("EditImage", "IsImageEdited", **_LARGE),
            Step("IsImageEdited", "UseLargerFunction"),
            Step("UseLargerFunction", "EditImage"),
            invoked("EditImage", "IsImageEdited", **_EDITED),
            Step("IsImageEdited", "DeliverCallback"),
            *_DELIVERED,
        ),
    ),
    Way(
        "a worker that crashes has its kept edit collected",
        _SINGLE,
        (
            *_START,
            caught("EditImage", "CollectEdit", "Runtime.ExitError", retries=2),
            Step("CollectEdit", "DeliverCallback", {"StatusCode": 200, "Payload": _EDITED}, variables=_RETRIES),
            *_DELIVERED,
        ),
    ),
    Way(
        "an image that is refused fails its job",
        _SINGLE,
        (*_START, caught("EditImage", "ReportFailure", "UnsupportedImageError"), *_FAILS),
    ),
    Way(
        "a batch is edited and summed up",
        _BATCH,
        (
            Step("ChooseOperation", "ListImages"),
            retried("ListImages", "StorageUnavailableError"),
            _LISTED,
            Step("AreThereImages", "EditEachImage"),
            Step("EditEachImage", "SummarizeBatch", _RESULTS),
            invoked("SummarizeBatch", "DeliverCallback", total_files=2, processed=2, failed=0, fallback_local=0),
            *_DELIVERED,
        ),
    ),
    Way(
        "an empty batch has no map run",
        _BATCH,
        (
            Step("ChooseOperation", "ListImages"),
            invoked("ListImages", "AreThereImages", manifest_key="m", results_prefix="r", total_files=0),
            Step("AreThereImages", "NoImages"),
            Step("NoImages", "SummarizeBatch"),
            caught("SummarizeBatch", "ReportFailure", "StorageRejectedError"),
            *_FAILS,
        ),
    ),
    Way(
        "a batch's image is edited after waits, by the large function",
        _CHILD,
        (
            caught("EditOneImage", "CountOnesThrottle", _THROTTLED),
            Step("CountOnesThrottle", "WaitForOnesTurn", variables={"retries": 0}),
            Step("WaitForOnesTurn", "EditOneImage"),
            invoked("EditOneImage", "IsOneImageEdited", **_LARGE),
            Step("IsOneImageEdited", "UseLargerFunctionForOne"),
            Step("UseLargerFunctionForOne", "EditOneImage"),
            invoked("EditOneImage", "IsOneImageEdited", **_WAIT),
            Step("IsOneImageEdited", "WaitForOnesTurn"),
            Step("WaitForOnesTurn", "EditOneImage"),
            invoked("EditOneImage", "IsOneImageEdited", **_EDITED),
            Step("IsOneImageEdited", "ImageEdited"),
            Step("ImageEdited", None),
        ),
        child=True,
    ),
    Way(
        "a batch's image fails with its attempts counted",
        _CHILD,
        (
            caught("EditOneImage", "CollectOneEdit", "Runtime.ExitError", retries=2),
            Step(
                "CollectOneEdit", "CountAttempts", error="EditNotFoundError", status="CAUGHT_ERROR", variables=_RETRIES
            ),
            Step("CountAttempts", "ImageFailed", variables=_RETRIES),
            Step("ImageFailed", None, status="FAILED"),
        ),
        child=True,
    ),
    Way(
        "a stopped batch is reported, and its delivery given up",
        {**_JOB, "operation": "report_and_deliver"},
        (
            Step("ChooseOperation", "ReportStoppedBatch"),
            invoked("ReportStoppedBatch", "DeliverDecidedResult", total_files=2, processed=1),
            Step("DeliverDecidedResult", "DeliverCallback"),
            retried("DeliverCallback", "CallbackUnderWayError", retries=20),
            retried("DeliverCallback", _THROTTLED, retries=20),
            _GIVEN_UP,
            retried("GiveUp", "CallbackUnderWayError", retries=8),
            retried("GiveUp", _THROTTLED, retries=8),
            invoked("GiveUp", "IsLetterDue", letter=json.dumps(_JOB)),
            Step("IsLetterDue", "DeadLetter"),
            Step(
                "DeadLetter",
                "RecordDeadLetter",
                {"MessageId": "1", "MD5OfMessageBody": "d41d8cd98f00b204e9800998ecf8427e"},
            ),
            retried("RecordDeadLetter", _THROTTLED, retries=8),
            invoked("RecordDeadLetter", "DeadLettered", status="dead_lettered"),
            Step("DeadLettered", None),
        ),
    ),
    Way(
        "a job's progress is posted until its end",
        {**_JOB, "operation": "report_progress"},
        (
            Step("ChooseOperation", "ReportProgress"),
            retried("ReportProgress", "StorageUnavailableError"),
            invoked("ReportProgress", "IsMoreToReport", **_JOB, started=True, wait_seconds=0),
            Step("IsMoreToReport", "WaitForProgress"),
            Step("WaitForProgress", "ReportProgress"),
            invoked("ReportProgress", "IsMoreToReport", **_JOB, started=True, wait_seconds=None),
            Step("IsMoreToReport", "ProgressReported"),
            Step("ProgressReported", None),
        ),
    ),
    Way(
        "progress that cannot be posted ends as if it were",
        {**_JOB, "operation": "report_progress"},
        (
            Step("ChooseOperation", "ReportProgress"),
            caught("ReportProgress", "ProgressReported", "StorageRejectedError", retries=4),
            Step("ProgressReported", None),
        ),
    ),
    Way(
        "a delivery that had been recorded is not given up",
        {**_JOB, "operation": "deliver"},
        (
            Step("ChooseOperation", "DeliverDecidedResult"),
            Step("DeliverDecidedResult", "DeliverCallback"),
            caught("DeliverCallback", "GiveUp", "CallbackGoneError"),
            invoked("GiveUp", "IsLetterDue", letter=None),
            Step("IsLetterDue", "DeliveredAfterAll"),
            Step("DeliveredAfterAll", None),
        ),
    ),
    Way(
        "a dead letter that cannot be sent is left to the last word",
        {**_JOB, "operation": "deliver"},
        (
            Step("ChooseOperation", "DeliverDecidedResult"),
            Step("DeliverDecidedResult", "DeliverCallback"),
            _GIVEN_UP,
            caught("GiveUp", "LeaveItToTheLastWord", "StorageUnavailableError", retries=8),
            Step("LeaveItToTheLastWord", None, status="FAILED"),
        ),
    ),
)
