"""What the routes work with, made on first use and kept for the life of the execution environment."""

from functools import lru_cache

from functions.accept.job_status import JobReader
from functions.accept.problems import InvalidRequestError
from functions.accept.settings import AcceptSettings, get_settings
from imagejobs.api import BatchRequest, ImageRequest
from imagejobs.executions import Executions, step_functions_client
from imagejobs.job_store import JobStore
from imagejobs.outbound.policy import OutboundPolicy, UrlRefusedError, check_url
from imagejobs.secrets import Secrets, load_secrets
from imagejobs.storage import Bucket, image_client, s3_client


def settings() -> AcceptSettings:
    """The settings."""
    return get_settings()


def secrets() -> Secrets:
    """The secrets, at most some minutes old."""
    return load_secrets(get_settings().secret_arn)


@lru_cache
def store() -> JobStore:
    """The records of the jobs."""
    return JobStore(Bucket(s3_client(), get_settings().jobs_bucket))


@lru_cache
def executions() -> Executions:
    """The executions of the state machine."""
    return Executions(step_functions_client(), get_settings().state_machine_arn)


def images() -> Bucket:
    """The output bucket, by the keys of now."""
    return Bucket(image_client(get_settings(), secrets()), get_settings().output_bucket)


@lru_cache
def job_reader() -> JobReader:
    """The reader of jobs, with what it remembers for a moment."""
    return JobReader(store(), executions(), images, get_settings())


def allowed_callback_url(url: str) -> str:
    """Give a callback URL back, unless policy forbids to call it; DNS is asked at delivery."""
    configured = get_settings()
    _check(configured.delivery_url(url), configured.callback_policy, "header", "callbackUrl")
    return url


def with_allowed_source(body: ImageRequest | BatchRequest) -> ImageRequest | BatchRequest:
    """Give a body back, unless policy forbids to fetch its image_url; DNS is asked by the worker."""
    if isinstance(body, ImageRequest) and body.image_url is not None:
        _check(body.image_url, get_settings().source_policy, "body", "image_url")
    return body


def _check(url: str, policy: OutboundPolicy, *loc: str) -> None:
    try:
        check_url(url, policy)
    except UrlRefusedError as error:
        raise InvalidRequestError.at(*loc, msg=f"the URL {error}") from None
