"""The exit codes, and which error leads to which (docs/command-line.md has the table)."""

from enum import IntEnum


class Exit(IntEnum):
    """What a script can tell a run's end by."""

    DONE = 0
    ERROR = 1
    USAGE = 2
    UNAVAILABLE = 3
    NOT_ALLOWED = 4
    REFUSED = 5
    JOB_FAILED = 6
    SOME_FAILED = 7
    STILL_RUNNING = 8
    INTERRUPTED = 130


def exit_of(error: Exception) -> Exit:
    """The exit code for an error of the client."""
    from imagejobs_client import errors

    table = (
        (errors.ConnectionSettingsError, Exit.NOT_ALLOWED),
        (errors.UnauthorizedError, Exit.NOT_ALLOWED),
        (errors.ServiceUnreachableError, Exit.UNAVAILABLE),
        (errors.UnavailableError, Exit.UNAVAILABLE),
        (errors.TooManyRequestsError, Exit.UNAVAILABLE),
        (errors.TransferError, Exit.UNAVAILABLE),
        (errors.APIError, Exit.REFUSED),
        (errors.UnsupportedOptionError, Exit.REFUSED),
        (errors.UnknownJobError, Exit.REFUSED),
        (errors.JobFailedError, Exit.JOB_FAILED),
        (errors.StillRunningError, Exit.STILL_RUNNING),
    )
    return next((code for kind, code in table if isinstance(error, kind)), Exit.ERROR)
