"""Structured logs and EMF metrics, alike in every function.

Never logged: secrets, prompts, image bytes, payloads, file names, object keys, the messages of errors, and of a
callback URL anything but scheme, host and port.
"""

import re
import traceback
import warnings
from urllib.parse import urlsplit

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import EphemeralMetrics

NAMESPACE = "ImageJobs"


def make_logger(function: str) -> Logger:
    """A JSON logger for one function; `append_keys(job_id=…, correlation_id=…)` marks every further line."""
    return Logger(service=function, log_uncaught_exceptions=False)


def make_metrics(function: str) -> Metrics:
    """EMF metrics with the function as their only dimension unless one is added.

    Powertools reads the stack's own namespace from POWERTOOLS_METRICS_NAMESPACE.
    """
    # A call may have nothing to count.
    warnings.filterwarnings("ignore", "No application metrics to publish")
    metrics = Metrics(service=function)
    metrics.namespace = metrics.namespace or NAMESPACE
    return metrics


def make_model_metrics(function: str, engine: str, model: str) -> EphemeralMetrics:
    """EMF metrics of one model: a line of their own, with engine and model as dimensions beside the function."""
    metrics = EphemeralMetrics(service=function)
    metrics.namespace = metrics.namespace or NAMESPACE
    metrics.add_dimension("engine", engine)
    metrics.add_dimension("model", model)
    return metrics


def loggable_url(url: str) -> str:
    """Scheme, host and port of a URL: what may be logged. A path may hold a webhook's secret, as all the rest may."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "(no valid URL)"
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}"


def loggable_error(error: BaseException) -> str:
    """Class and code of an error and of what it came from: "OpenAIRejectedError, BadRequestError moderation_blocked".

    Its message may tell of a prompt, a file or a person; it goes to the caller, or nowhere.
    """
    chain: list[str] = []
    at: BaseException | None = error
    while at:
        code = _code(at)
        chain.append(f"{type(at).__name__} {code}" if code else type(at).__name__)
        at = at.__cause__
    return ", ".join(chain)


def loggable_failure(text: str) -> str:
    """The class alone of `{Type}: {message}`, as `errors.failure_text` makes it."""
    kind = text.partition(":")[0]
    return kind if kind.replace(".", "").replace("_", "").isalnum() else "(an error)"


def loggable_stack(error: BaseException) -> list[str]:
    """Where an error arose, without its message: file, line, function and source line of each frame."""
    return traceback.format_tb(error.__traceback__)


def _code(error: BaseException) -> str:
    """The code of an error of an SDK: OpenAI's own, or that of an answer of AWS or COS."""
    answer = getattr(error, "response", None)
    code = answer.get("Error", {}).get("Code") if isinstance(answer, dict) else getattr(error, "code", None)
    return code if isinstance(code, str) and re.fullmatch(r"[\w.-]{1,64}", code) else ""
