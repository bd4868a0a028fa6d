"""Asks OpenAI for one edit, or for its moderation: within a deadline, without retries, its answer checked."""

import hashlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import httpx2
import openai
from openai.types import ImagesResponse, ModerationCreateResponse, ModerationMultiModalInputParam

from functions.process_image.engines.answers import OtherTypeError, UnsoundImageError, checked_type, run_within
from functions.process_image.engines.engine import BillingLimitError, Edit, OnUsage, RateLimitedError, Task, Usage
from functions.process_image.engines.openai_errors import Verdict, error_message, retry_after, verdict_on
from functions.process_image.pictures import Picture, prepare
from functions.process_image.settings import ProcessImageSettings
from imagejobs.edit_options import EditOptions
from imagejobs.errors import OpenAIInvalidAnswerError, OpenAIRejectedError, OpenAIRetryableError
from imagejobs.output_keys import EDIT_TYPES

OPENAI_BASE_URL = "https://api.openai.com/v1"
_CONNECT_SECONDS = 10.0
_MODERATION_MODEL = "omni-moderation-latest"
# "Image files are limited to 20 MB" (Moderation, in OpenAI's API guides): in decimal megabytes, with some room.
_MODERATION_MAX_BYTES = 19_900_000


@dataclass(frozen=True)
class OpenAIEngine:
    """OpenAI, or another server that speaks its images API (`settings.openai_base_url`), with the owner's key."""

    settings: ProcessImageSettings
    api_key: str

    def edit(self, task: Task, on_usage: OnUsage) -> Edit:
        """Have a picture edited within `task.timeout` seconds, all told.

        Raises:
            BillingLimitError, RateLimitedError: as they say.
            OpenAIRetryableError: it failed in a way that passes.
            OpenAIInvalidAnswerError: it answered 200 without a sound image.
            OpenAIRejectedError: it refused for good.
        """

        async def call(client: openai.AsyncOpenAI) -> Edit:
            return await _edit(client, task, self.settings, on_usage)

        try:
            return _run(call, task.prompt, self.api_key, self.settings, task.timeout)
        except OpenAIRetryableError as error:
            error.may_have_cost = _was_asked(error.__cause__)
            raise


def flagged_categories(
    picture: Picture, prompt: str, api_key: str, settings: ProcessImageSettings, timeout: float
) -> list[str]:
    """Ask OpenAI's moderation model about a picture and a prompt; returns the categories that it flags.

    Raises what `OpenAIEngine.edit` raises.
    """
    if len(picture.body) > _MODERATION_MAX_BYTES:
        picture = prepare(picture.body, settings.max_image_pixels, _MODERATION_MAX_BYTES)
    return _run(lambda client: _moderate(client, picture, prompt), prompt, api_key, settings, timeout)


def _run[T](
    call: Callable[[openai.AsyncOpenAI], Coroutine[Any, Any, T]],
    prompt: str,
    api_key: str,
    settings: ProcessImageSettings,
    timeout: float,
) -> T:
    client = _client(api_key, settings.openai_base_url or OPENAI_BASE_URL)
    limited = client.with_options(timeout=openai.Timeout(timeout, connect=_CONNECT_SECONDS))
    try:
        return run_within(timeout, call(limited))
    except TimeoutError:
        late = openai.APITimeoutError(httpx2.Request("POST", client.base_url))
        raise _translated(late, prompt, settings.billing_limit_codes) from late
    except openai.OpenAIError as error:
        raise _translated(error, prompt, settings.billing_limit_codes) from error


# One for the life of the process, so that connections are kept from call to call.
@lru_cache
def _client(api_key: str, base_url: str) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(api_key=api_key, base_url=base_url, max_retries=0)


async def _edit(client: openai.AsyncOpenAI, task: Task, settings: ProcessImageSettings, on_usage: OnUsage) -> Edit:
    images = [_file("image", picture) for picture in task.pictures]
    image = images if len(images) > 1 else images[0]
    answer = await client.images.with_raw_response.edit(image=image, prompt=task.prompt, **_further(task, settings))
    return _checked(answer.http_response, answer.parse, task.options, settings, on_usage)


def _further(task: Task, settings: ProcessImageSettings) -> dict[str, Any]:
    """What is sent beside picture and prompt, by OpenAI's names, which are those of our options.

    What nobody chose is not sent: other servers refuse what they do not know.
    """
    further: dict[str, Any] = task.options.chosen
    if task.mask:
        further["mask"] = _file("mask", task.mask)
    if settings.is_openais(str(task.options.model)):
        further["safety_identifier"] = hashlib.sha256(task.caller.encode()).hexdigest()
    return further


def _file(name: str, picture: Picture) -> tuple[str, bytes, str]:
    return f"{name}.{picture.media_type.removeprefix('image/')}", picture.body, picture.media_type


async def _moderate(client: openai.AsyncOpenAI, picture: Picture, prompt: str) -> list[str]:
    url = f"data:{picture.media_type};base64,{b64encode(picture.body).decode()}"
    asked: list[ModerationMultiModalInputParam] = [
        {"type": "text", "text": prompt},
        {"type": "image_url", "image_url": {"url": url}},
    ]
    answer = await client.moderations.with_raw_response.create(model=_MODERATION_MODEL, input=asked)
    try:
        parsed: ModerationCreateResponse = answer.parse()
        (result,) = parsed.results
        if result.flagged is False:
            return []
        categories = result.categories.model_dump(by_alias=True)
        return [name for name, applies in categories.items() if applies] or ["no category named"]
    except (AttributeError, TypeError, ValueError):
        error = _invalid(answer.http_response, "no moderation result in the answer")
        # Unlike an edit, a moderation costs nothing: it is asked for as often as after any failure.
        raise OpenAIRetryableError(error_message(error, prompt)) from None


def _checked(
    response: httpx2.Response,
    parse: Callable[[], ImagesResponse],
    asked: EditOptions,
    settings: ProcessImageSettings,
    on_usage: OnUsage,
) -> Edit:
    """Take the image out of an answer, and make sure that it is one, whole, of the format asked for."""
    ms = round(response.elapsed.total_seconds() * 1000)
    try:
        answer = parse()
    except (AttributeError, TypeError, ValueError):
        raise _invalid(response, "no image in the answer") from None
    usage = _usage(answer, ms)
    on_usage(usage)
    try:
        body = b64decode(answer.data[0].b64_json, validate=True)  # type: ignore[index, arg-type]
    except (AttributeError, IndexError, TypeError, ValueError):
        raise _invalid(response, "no image in the answer") from None
    expected = (f"image/{asked.output_format}",) if asked.output_format else EDIT_TYPES
    try:
        actual = checked_type(body, expected, settings.max_image_pixels)
    except OtherTypeError as error:
        raise OpenAIRejectedError(f"APIResponseValidationError: {error}") from error
    except UnsoundImageError as error:
        raise _invalid(response, str(error)) from error
    return Edit(body, actual, "openai", str(asked.model), usage)


def _usage(answer: ImagesResponse, ms: int) -> Usage:
    # The SDK does not check what it parses: another server's answer may hold anything.
    usage = getattr(answer, "usage", None)
    tokens = [getattr(usage, name, None) for name in ("input_tokens", "output_tokens")]
    images = getattr(getattr(usage, "input_tokens_details", None), "image_tokens", None)
    input_tokens, output_tokens = (count if isinstance(count, int) and count >= 0 else 0 for count in tokens)
    return Usage(
        ms, input_tokens, output_tokens, images if isinstance(images, int) and 0 <= images <= input_tokens else None
    )


def _was_asked(error: BaseException | None) -> bool:
    """Whether a call that failed had reached OpenAI, which may then have worked, and charged, all the same."""
    never_connected = (httpx2.ConnectError, httpx2.ConnectTimeout)
    return isinstance(error, openai.APIConnectionError) and not isinstance(error.__cause__, never_connected)


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
