"""Asks OpenAI for one edit: within a deadline, without retries, its answer checked."""

import asyncio
from base64 import b64decode
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import httpx2
import openai
from openai.types import ImagesResponse

from functions.process_image.engines.openai_errors import Verdict, error_message, retry_after, verdict_on
from functions.process_image.pictures import Picture, check
from functions.process_image.settings import ProcessImageSettings
from imagejobs.errors import JobError, OpenAIInvalidAnswerError, OpenAIRejectedError, OpenAIRetryableError
from imagejobs.image_types import HEAD_BYTES, sniffed_type

OPENAI_BASE_URL = "https://api.openai.com/v1"
_CONNECT_SECONDS = 10.0


class BillingLimitError(Exception):
    """OpenAI's billing hard limit is reached; the message is the SDK's."""


class RateLimitedError(Exception):
    """OpenAI answered 429 and asks to wait `seconds`, 0 where it does not say; the message is the SDK's."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


@dataclass(frozen=True)
class Edit:
    """An edited image, and who made it."""

    body: bytes
    media_type: str
    engine: Literal["openai", "local_fallback"]


@dataclass(frozen=True)
class Usage:
    """What an answer 200 of OpenAI took: its time, and the tokens it charged, 0 where it does not say."""

    ms: int
    input_tokens: int = 0
    output_tokens: int = 0


type OnUsage = Callable[[Usage], None]


def edit(
    picture: Picture, prompt: str, api_key: str, settings: ProcessImageSettings, timeout: float, on_usage: OnUsage
) -> Edit:
    """Have OpenAI edit a picture within `timeout` seconds, all told.

    `on_usage` hears of every answer 200, before it is known whether its image is any good.

    Raises:
        BillingLimitError, RateLimitedError: as they say.
        OpenAIRetryableError: it failed in a way that passes.
        OpenAIInvalidAnswerError: it answered 200 without a sound image.
        OpenAIRejectedError: it refused for good.
    """
    client = _client(api_key, settings.openai_base_url or OPENAI_BASE_URL)
    try:
        response, parse = _runner().run(_ask(client, picture, prompt, settings, timeout))
        return _checked(response, parse, settings, on_usage)
    except openai.OpenAIError as error:
        raise _translated(error, prompt, settings.billing_limit_codes) from error


# One client and one event loop for the life of the process, so that connections are kept from call to call. Lambda
# gives a process one invocation at a time.
@lru_cache
def _client(api_key: str, base_url: str) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(api_key=api_key, base_url=base_url, max_retries=0)


@lru_cache
def _runner() -> asyncio.Runner:
    return asyncio.Runner()


async def _ask(
    client: openai.AsyncOpenAI, picture: Picture, prompt: str, settings: ProcessImageSettings, timeout: float
) -> tuple[httpx2.Response, Callable[[], ImagesResponse]]:
    """Ask; gives the answer, and what reads it."""
    request = client.images.with_raw_response.edit(
        image=(f"image.{picture.media_type.removeprefix('image/')}", picture.body, picture.media_type),
        prompt=prompt,
        model=settings.openai_image_model,
        quality=settings.openai_image_quality,
        size=settings.openai_image_size,
        background=settings.openai_image_background,
        output_format=settings.openai_image_output_format,
        timeout=openai.Timeout(timeout, connect=_CONNECT_SECONDS),
    )
    try:
        # The SDK's own time-out begins anew with every byte; this one ends the call whatever the server does.
        async with asyncio.timeout(timeout):
            answer = await request
    except TimeoutError:
        raise openai.APITimeoutError(httpx2.Request("POST", client.base_url)) from None
    return answer.http_response, answer.parse


def _checked(
    response: httpx2.Response, parse: Callable[[], ImagesResponse], settings: ProcessImageSettings, on_usage: OnUsage
) -> Edit:
    """Take the image out of an answer, and make sure that it is one, whole, of the format asked for."""
    ms = round(response.elapsed.total_seconds() * 1000)
    try:
        answer = parse()
    except (AttributeError, TypeError, ValueError):
        raise _invalid(response, "no image in the answer") from None
    on_usage(_usage(answer, ms))
    try:
        body = b64decode(answer.data[0].b64_json, validate=True)  # type: ignore[index, arg-type]
    except (AttributeError, IndexError, TypeError, ValueError):
        raise _invalid(response, "no image in the answer") from None
    expected, actual = f"image/{settings.openai_image_output_format}", sniffed_type(body[:HEAD_BYTES])
    if actual is not None and actual != expected:
        # Asking again would pay again for the same.
        raise OpenAIRejectedError(f"APIResponseValidationError: asked for {expected}, the answer is {actual}")
    try:
        check(body, settings.max_image_pixels)
    except JobError as error:
        raise _invalid(response, f"no sound image in the answer ({error})") from error
    return Edit(body, expected, "openai")


def _usage(answer: ImagesResponse, ms: int) -> Usage:
    # The SDK does not check what it parses: another server's answer may hold anything.
    usage = getattr(answer, "usage", None)
    input_tokens, output_tokens = (getattr(usage, name, None) for name in ("input_tokens", "output_tokens"))
    return Usage(ms, *(count if isinstance(count, int) else 0 for count in (input_tokens, output_tokens)))


def _invalid(response: httpx2.Response, what: str) -> openai.APIResponseValidationError:
    return openai.APIResponseValidationError(response, None, message=f"Data returned by API invalid: {what}.")


def _translated(error: openai.OpenAIError, prompt: str, billing_limit_codes: Collection[str]) -> Exception:
    message = error_message(error, prompt)
    match verdict_on(error, billing_limit_codes):
        case Verdict.FALLBACK:
            return BillingLimitError(message)
        case Verdict.WAIT:
            return RateLimitedError(message, retry_after(error))
        case Verdict.RETRY:
            return OpenAIRetryableError(message)
        case Verdict.ASK_ONCE_MORE:
            return OpenAIInvalidAnswerError(message)
        case Verdict.REPORT:
            return OpenAIRejectedError(message)
