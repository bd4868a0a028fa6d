"""What the routes work with, made on first use and kept for the life of the execution environment."""

from functools import cached_property, lru_cache

from functions.accept.job_status import JobReader
from functions.accept.problems import InvalidRequestError
from functions.accept.settings import AcceptSettings
from imagejobs.api import BatchRequest, ImageRequest
from imagejobs.executions import Executions
from imagejobs.job_store import JobStore
from imagejobs.outbound.policy import OutboundPolicy, UrlRefusedError, check_url
from imagejobs.resources import Resources
from imagejobs.secrets import Secrets


class AcceptResources(Resources[AcceptSettings]):
    """What the function works with, and the reader of jobs with what it remembers for a moment."""

    @cached_property
    def job_reader(self) -> JobReader:
        """The reader of jobs."""
        return JobReader(self.jobs, self.executions, lambda: self.outputs, self.settings)


@lru_cache
def resources() -> AcceptResources:
    """What this process works with."""
    return AcceptResources(AcceptSettings.from_environment())


def settings() -> AcceptSettings:
    """The settings."""
    return resources().settings


def secrets() -> Secrets:
    """The secrets, at most some minutes old."""
    return resources().secrets


def store() -> JobStore:
    """The records of the jobs."""
    return resources().jobs


def executions() -> Executions:
    """The executions of the state machine."""
    return resources().executions


def job_reader() -> JobReader:
    """The reader of jobs."""
    return resources().job_reader


def allowed_callback_url(url: str) -> str:
    """Give a callback URL back, unless policy forbids to call it; DNS is asked at delivery."""
    configured = settings()
    _check(configured.delivery_url(url), configured.callback_policy, "header", "callbackUrl")
    return url


def with_allowed_source(body: ImageRequest | BatchRequest) -> ImageRequest | BatchRequest:
    """Give a body back, unless policy forbids to fetch its image_url; DNS is asked by the worker."""
    if isinstance(body, ImageRequest) and body.image_url is not None:
        _check(body.image_url, settings().source_policy, "body", "image_url")
    return body


def _check(url: str, policy: OutboundPolicy, *loc: str) -> None:
    try:
        check_url(url, policy)
    except UrlRefusedError as error:
        raise InvalidRequestError.at(*loc, msg=f"the URL {error}") from None
