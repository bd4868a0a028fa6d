"""The errors a function may end with, split by what the state machine does about them.

Lambda reports an exception by its class name, and `Retry` and `Catch` in `statemachine/image_job.asl.json` name
these classes: a rename here is a change there.
"""

import json


class JobError(Exception):
    """An error whose message is meant for the caller."""


class RetryableError(JobError):
    """The same call may succeed later: the state machine tries again.

    `may_have_cost` where an engine was asked, and its edit was not heard to the end or not kept.
    """

    may_have_cost = False


class PermanentError(JobError):
    """The same call would fail again: the state machine reports it at once."""


class ConfigurationError(PermanentError):
    """A setting or secret is missing or invalid; the message names every one."""


class SecretsUnavailableError(RetryableError):
    """A secret of the stack could not be read."""


class EngineRetryableError(RetryableError):
    """An engine failed in a way that passes: 5xx, time-out, lost connection. Message: `{error}: {its message}`."""


class EngineRejectedError(PermanentError):
    """An engine refused for good: moderation, a bad request, a bad key. Message: `{its error}: {its message}`."""


class EngineInvalidAnswerError(RetryableError):
    """An engine answered without a sound image, which may cost all the same. Message: as EngineRetryableError's."""

    may_have_cost = True


class OpenAIRetryableError(EngineRetryableError):
    """OpenAI's, by the name that callers know."""


class OpenAIRejectedError(EngineRejectedError):
    """OpenAI's, by the name that callers know."""


class OpenAIInvalidAnswerError(EngineInvalidAnswerError):
    """OpenAI's, by the name that callers know."""


class EditNotFoundError(PermanentError):
    """No attempt at the image kept an edit."""


class ContentFlaggedError(PermanentError):
    """Screening flagged the prompt or the picture; the message names the categories. Nothing was paid."""


class StorageUnavailableError(RetryableError):
    """The object storage could not be reached or answered 5xx or throttling."""


class StorageRejectedError(PermanentError):
    """The object storage refused: bucket missing, access denied, no such key."""


class UnsupportedImageError(PermanentError):
    """The file is not an image, or a damaged one, or one of a type that is not taken."""


class ImageTooLargeError(PermanentError):
    """The image has more pixels or bytes than the configured limit."""


class BatchTooLargeError(PermanentError):
    """A batch has more images than the owner allows; nothing was edited."""


class CostTooHighError(PermanentError):
    """A job would cost more than it may; the message names both numbers. Nothing was edited."""


class SourceUnavailableError(RetryableError):
    """The server behind an `image_url` could not be reached or answered 5xx or 429."""


class SourceRefusedError(PermanentError):
    """An `image_url` that policy forbids, or whose answer is not an image within the limits."""


class JobDecidedError(PermanentError):
    """The job's result is decided already (it was cancelled, for example): no more work is done for it."""


class CallbackFailedError(RetryableError):
    """The receiver did not take the callback: no connection, a time-out, or an answer outside 2xx."""


class CallbackUnderWayError(RetryableError):
    """Another execution posts the callback at this moment: the worker of one that was stopped goes on."""


class PayloadGoneError(PermanentError):
    """The decided payload is gone from the jobs bucket. Another one is not decided: a receiver may know the first."""


class CallbackGoneError(PermanentError):
    """The receiver answered 410 Gone: it wants no further attempt."""


class CallbackRefusedError(PermanentError):
    """The callback URL is one that policy forbids to call."""


# Errors whose message already begins with the name of the engine's own error that they stand for.
_ENGINE_ERRORS = (EngineRetryableError, EngineRejectedError, EngineInvalidAnswerError)
_OPENAI_ERRORS = (OpenAIRetryableError, OpenAIRejectedError, OpenAIInvalidAnswerError)
_NAMED_IN_MESSAGE = {error.__name__ for error in (*_ENGINE_ERRORS, *_OPENAI_ERRORS)}


# What AWS reports of itself names request ids and processes: by the error's name or its family, the caller is told this
# instead, and the execution's history has the rest. It fits a job, an image of a batch and the delivery of a callback.
_AWS_ERRORS = {
    "Runtime.": "the worker ended before it had an answer, perhaps because its memory ran out: try again",
    "Sandbox.Timedout": "the worker took longer than it may: try again",
    "States.Timeout": "a step of the job took longer than it may: try again",
    "Lambda.TooManyRequestsException": "the service had no free worker for too long: try again later",
    "Lambda.": "AWS Lambda failed to run the worker: try again later",
}


def failure_text(error: str, cause: str) -> str:
    """Describe a caught state error for the caller: `{Type}: {message}`.

    `error` and `cause` are the `Error` and `Cause` of a Catch. For a failed Lambda task, `Cause` is a JSON string
    with `errorMessage` and `errorType`; for an error of Step Functions itself (States.DataLimitExceeded …) it is plain
    text. The errors of AWS that a caller can do something about have a message of ours.
    """
    family = "".join(error.partition(".")[:2])
    if plain := _AWS_ERRORS.get(error, _AWS_ERRORS.get(family)):
        return f"{error}: {plain}"
    message = cause
    try:
        details = json.loads(cause)
    except ValueError:
        pass
    else:
        if isinstance(details, dict):
            message = str(details.get("errorMessage") or "")
    if error in _NAMED_IN_MESSAGE:
        return message or error
    return f"{error}: {message}" if message else error
