"""Checks of what the service depends on: one free call each, all at once, each with its time."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NoAnswerError

from functions.accept.http.answers import Check
from functions.accept.resources import AcceptResources
from imagejobs.catalogue import find_model
from imagejobs.errors import JobError
from imagejobs.observability import loggable_error

# API Gateway waits for 29 s in all.
_SECONDS = 10.0
_MODELS_URL = "https://api.openai.com/v1"


class CheckFailedError(Exception):
    """What was found wrong, for a caller to read."""


def run_checks(own: AcceptResources, seconds: float = _SECONDS) -> dict[str, Check]:
    """Run every check, each for at most `seconds`."""
    checks: dict[str, Callable[[], None]] = {
        "jobs_bucket": lambda: _bucket_can_be_listed(own),
        "output_bucket": lambda: own.outputs.require(),
        "secret": lambda: _secret_is_filled_in(own),
        "models": lambda: _models_can_be_asked(own),
        "state_machine": lambda: _state_machine_is_active(own),
    }
    if find_model(own.settings.openai_image_model).engine == "openai":
        checks["openai"] = lambda: _openai_knows_the_model(own)
    if own.settings.cos_input_bucket:
        checks["input_bucket"] = lambda: _input_can_be_listed(own)
    # The SDK's clients may be used by many threads, but not be made by them.
    _ = own.clients.s3, own.clients.step_functions, own.clients.secrets
    pool = ThreadPoolExecutor(len(checks))
    started = time.monotonic()
    running = {name: pool.submit(_timed, check) for name, check in checks.items()}
    ended = {name: _ended(future, started + seconds - time.monotonic(), seconds) for name, future in running.items()}
    pool.shutdown(wait=False, cancel_futures=True)
    return ended


def _timed(check: Callable[[], None]) -> Check:
    started = time.monotonic()
    error: str | None = None
    try:
        check()
    except (CheckFailedError, JobError) as failed:
        error = str(failed)
    except Exception as failed:  # noqa: BLE001 - whatever is wrong is what was asked for
        # Class and code alone: AWS writes role, account and resource into the message of a refusal.
        error = loggable_error(failed)
    return Check(ok=error is None, ms=round((time.monotonic() - started) * 1000), error=error)


def _ended(future: "Future[Check]", wait: float, seconds: float) -> Check:
    try:
        return future.result(max(0.0, wait))
    except NoAnswerError:
        return Check(ok=False, ms=round(seconds * 1000), error=f"no answer within {seconds:g} s")


def _bucket_can_be_listed(own: AcceptResources) -> None:
    own.jobs.bucket.require()


def _input_can_be_listed(own: AcceptResources) -> None:
    next(own.inputs.keys(own.settings.input_prefix), None)


def _secret_is_filled_in(own: AcceptResources) -> None:
    engine = find_model(own.settings.openai_image_model).engine
    if missing := own.settings.missing("url", engine, own.secrets):
        raise CheckFailedError(f"configuration missing: {', '.join(missing)}")


def _models_can_be_asked(own: AcceptResources) -> None:
    """Look at the models beside the stack's own: a job that names one is refused, a stand-in is passed over."""
    settings = own.settings
    named = {"AllowedModels": settings.models[1:], "FallbackModels": settings.fallback_order}
    lacking = [
        f"{parameter} names {model}: configuration missing: {', '.join(missing)}"
        for parameter, models in named.items()
        for model in models
        if (missing := settings.missing_for(find_model(model).engine, own.secrets))
    ]
    if lacking:
        raise CheckFailedError("; ".join(lacking))


def _state_machine_is_active(own: AcceptResources) -> None:
    status = own.executions.machine_status()
    if status != "ACTIVE":
        raise CheckFailedError(f"the state machine is {status}")


def _openai_knows_the_model(own: AcceptResources) -> None:
    """Ask for the model's description, which costs nothing (OpenAI API reference, "Retrieve model")."""
    import httpx2  # with its 0.1 s, for this route alone

    model = own.settings.openai_image_model
    answer = httpx2.get(
        f"{own.settings.openai_base_url or _MODELS_URL}/models/{model}",
        headers={"Authorization": f"Bearer {own.secrets.openai_api_key.get_secret_value()}"},
        timeout=_SECONDS,
    )
    match answer.status_code:
        case 401:
            raise CheckFailedError("OpenAI refuses the key: check OPENAI_API_KEY in the stack's secret")
        case 404:
            raise CheckFailedError(f"OpenAI has no model {model}: check the parameter OpenAIImageModel")
        # A key may be restricted to images.
        case status if status >= 400 and status != 403:
            raise CheckFailedError(f"OpenAI answered {status}")
