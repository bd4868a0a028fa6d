"""Structured logs and EMF metrics, alike in every function.

Never logged: secrets, prompts, image bytes, payloads and the query string of a callback URL.
"""

import warnings
from urllib.parse import urlsplit

from aws_lambda_powertools import Logger, Metrics

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


def loggable_url(url: str) -> str:
    """Scheme, host, port and path of a URL: what may be logged. User info, query and fragment may hold secrets."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "(no valid URL)"
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}{parts.path}"
