"""What engines have in common: the wait for an answer, the check of its image, and what is told of an error."""

import asyncio
import re
from collections.abc import Collection, Coroutine, Iterable
from functools import lru_cache
from typing import Any

from functions.process_image.pictures import check
from imagejobs.errors import JobError
from imagejobs.image_types import HEAD_BYTES, sniffed_type

# What an edit may have in any case: the owner's limit is for inputs, and an edit has been paid for. Outpainting makes
# the largest ones: from 9.4 million pixels, by 2,000 on each side.
_LARGEST_EDIT_PIXELS = 64_000_000
_MAX_MESSAGE_CHARACTERS = 1000
# A shorter prompt may well be part of the error's own message.
_MIN_QUOTED = 12


class UnsoundImageError(Exception):
    """An answer's image is none, or a damaged one."""


class OtherTypeError(Exception):
    """An answer's image has another type than was asked for: to ask again would pay again for the same."""


def run_within[T](seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """Run to the end, whatever the other side does meanwhile, or raise TimeoutError after so many seconds."""
    return _runner().run(_within(seconds, work))


async def _within[T](seconds: float, work: Coroutine[Any, Any, T]) -> T:
    # Clients' own time-outs begin anew with every byte.
    async with asyncio.timeout(seconds):
        return await work


# One event loop for the life of the process, so that connections are kept from call to call. Lambda gives a process
# one invocation at a time.
@lru_cache
def _runner() -> asyncio.Runner:
    return asyncio.Runner()


def checked_type(body: bytes, expected: Collection[str], max_pixels: int) -> str:
    """Make sure that an answer's image is one, whole, of one of the expected media types, and give that type.

    Raises:
        UnsoundImageError, OtherTypeError: as they say; the message is for the caller.
    """
    actual = sniffed_type(body[:HEAD_BYTES])
    if actual is not None and actual not in expected:
        raise OtherTypeError(f"asked for {' or '.join(sorted(expected))}, the answer is {actual}")
    try:
        check(body, max(max_pixels, _LARGEST_EDIT_PIXELS))
    except JobError as error:
        raise UnsoundImageError(f"no sound image in the answer ({error})") from error
    return str(actual)


def told(name: str, message: str, prompt: str, account: Iterable[tuple[re.Pattern[str], str]] = ()) -> str:
    """Name an error and repeat its message, in one short line, without the prompt and the owner's account.

    Lambda logs what a function raises, and a prompt is never logged. `account` are patterns of what tells of the
    account, and what is said in its place.
    """
    for pattern, said in account:
        message = pattern.sub(said, message)
    if len(prompt) >= _MIN_QUOTED:
        for quoted in (prompt, repr(prompt)[1:-1]):
            message = message.replace(quoted, "(the prompt)")
    return f"{name}: {' '.join(message.split())[:_MAX_MESSAGE_CHARACTERS]}"
