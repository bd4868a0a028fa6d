"""What every engine is: it takes a task, and gives an edit or one of four errors."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from functions.process_image.pictures import Picture
from imagejobs.edit_options import EditOptions


@dataclass(frozen=True)
class Task:
    """What an engine is asked for. The first picture is the one to edit, the others are references.

    `timeout` is in seconds, from the first byte sent until the last one received. An engine tells its provider of
    `caller` (`JobRequest.caller`) a digest alone. Where a mask is transparent, the picture is to change.
    """

    pictures: tuple[Picture, ...]
    prompt: str
    options: EditOptions
    timeout: float
    caller: str = ""
    mask: Picture | None = None


@dataclass(frozen=True)
class Usage:
    """What one answer took, good or not: its time in ms, and the tokens charged, 0 where it does not say.

    `image_tokens` are how many of the input tokens the pictures were, which may have another price than text.
    """

    ms: int
    input_tokens: int = 0
    output_tokens: int = 0
    image_tokens: int | None = None


@dataclass(frozen=True)
class Edit:
    """An edited image, the engine and the model that made it, and what its answer took.

    `note` says what was done to the picture for this engine, when the caller would not expect it.
    """

    body: bytes
    media_type: str
    engine: str
    model: str
    usage: Usage
    note: str | None = None


type OnUsage = Callable[[Usage], None]


class Engine(Protocol):
    """One provider's API, or the local transform. A new one is a module of this folder and its rows in `catalogue`."""

    def edit(self, task: Task, on_usage: OnUsage) -> Edit:
        """Have a picture edited. `on_usage` hears of every answer that may have been charged, before its image is read.

        Raises:
            BillingLimitError: the provider's billing limit is reached; another engine may stand in.
            RateLimitedError: the provider asks to wait.
            EngineRetryableError: it failed in a way that passes.
            EngineInvalidAnswerError: it answered without a sound image, which may cost all the same.
            EngineRejectedError: it refused for good.
        """
        ...


class BillingLimitError(Exception):
    """A provider's billing limit is reached; the message is the provider's."""


class RateLimitedError(Exception):
    """A provider asks to wait `seconds`, 0 where it does not say; the message is the provider's."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds
