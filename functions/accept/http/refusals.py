"""Puts every refusal and every failure into the form of docs/api.md."""

from collections.abc import Callable
from http import HTTPStatus

from botocore.exceptions import BotoCoreError, ClientError

from functions.accept.http.answers import Problem, ValidationProblem
from functions.accept.http.call import Answer, answer
from functions.accept.http.handlers import logger
from functions.accept.http.problems import InvalidRequestError, NotConfiguredError, ProblemError, UnavailableError
from imagejobs.errors import ConfigurationError, JobError, RetryableError
from imagejobs.observability import loggable_error, loggable_stack


def guarded(handle: Callable[[], Answer]) -> Answer:
    """What `handle` answers, or the answer that tells the caller why there is none."""
    try:
        return handle()
    except InvalidRequestError as error:
        return answer(HTTPStatus.UNPROCESSABLE_ENTITY, ValidationProblem(detail=list(error.fields)))
    except ProblemError as problem:
        return refuse(problem)
    except ConfigurationError as error:
        return refuse(NotConfiguredError(str(error)))
    except (RetryableError, ClientError, BotoCoreError) as error:
        return _unavailable(error)
    except JobError as error:
        return _refused_behind(error)
    except Exception as error:  # noqa: BLE001 - the caller gets an answer in JSON whatever went wrong
        return _unexpected(error)


def refuse(problem: ProblemError) -> Answer:
    """The answer that a problem is."""
    return answer(problem.status, Problem(detail=problem.detail), problem.headers)


def _unavailable(error: Exception) -> Answer:
    logger.warning("a service behind the API failed", extra={"error": loggable_error(error)})
    detail = "the service cannot record or read jobs at the moment; nothing was lost. Try again in some seconds"
    return refuse(UnavailableError(detail, {"Retry-After": "5"}))


def _refused_behind(error: JobError) -> Answer:
    """What the caller cannot put right, nor time: the storage refuses what the service needs of it."""
    logger.error("a service behind the API refuses", extra={"error": loggable_error(error)})
    detail = (
        f"{error}. The fault is not in the request: tell whoever runs the service, whom GET /health/deep tells more"
    )
    return answer(HTTPStatus.INTERNAL_SERVER_ERROR, Problem(detail=detail))


def _unexpected(error: Exception) -> Answer:
    logger.error("unexpected error", extra={"error": loggable_error(error), "stack": loggable_stack(error)})
    detail = "an unexpected error; the log has the details under this answer's x-correlation-id"
    return answer(HTTPStatus.INTERNAL_SERVER_ERROR, Problem(detail=detail))
