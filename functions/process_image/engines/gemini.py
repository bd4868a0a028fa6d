"""Asks a Gemini image model for one edit, by `generateContent` of the Gemini API over plain HTTP.

"Generating content" and "Image generation" in the Gemini API reference. The key goes in a header, never in a URL.
"""

import json
from base64 import b64decode, b64encode
from dataclasses import dataclass
from functools import lru_cache
from time import monotonic
from typing import Any

import httpx2

from functions.process_image.engines.answers import OtherTypeError, UnsoundImageError, checked_type, run_within
from functions.process_image.engines.engine import Edit, OnUsage, Task, Usage
from functions.process_image.engines.gemini_errors import finished, translated, unreachable
from functions.process_image.pictures import Picture, fitted
from imagejobs.catalogue import GEMINI_SHAPES, Shapes
from imagejobs.errors import EngineInvalidAnswerError, EngineRejectedError
from imagejobs.output_keys import EDIT_TYPES

NAME = "gemini"
_BASE_URL = "https://generativelanguage.googleapis.com/v1beta"
_CONNECT_SECONDS = 10.0
# "Inline data" may have 100 MB in a request ("File input methods"); as base64, and with room for the rest.
_MAX_PICTURE_BYTES = 99_000_000 // 4 * 3
# What the models call the size of their edits, by the pixels of a square one.
_SIZES = {"1K": 1024**2, "2K": 2048**2, "4K": 4096**2}


@dataclass(frozen=True)
class GeminiEngine:
    """The engine; an empty `base_url` is Google's, another one has the API's version too."""

    api_key: str
    max_image_pixels: int
    base_url: str = ""

    def edit(self, task: Task, on_usage: OnUsage) -> Edit:
        """Have a picture edited by the task's model; raises what `Engine.edit` raises."""
        model, started = str(task.options.model), monotonic()
        request, note = _request(task)
        url, headers = (
            f"{(self.base_url or _BASE_URL).rstrip('/')}/models/{model}:generateContent",
            {"x-goog-api-key": self.api_key},
        )
        try:
            response = run_within(task.timeout, _client().post(url, json=request, headers=headers))
        except (TimeoutError, httpx2.HTTPError) as error:
            raise unreachable(error, task.timeout) from error
        if response.status_code != 200:
            raise translated(response, task.prompt)
        answer = _parsed(response)
        usage = _usage(answer, round((monotonic() - started) * 1000))
        on_usage(usage)
        image, media_type = self._image(answer)
        return Edit(image, media_type, NAME, model, usage, note)

    def _image(self, answer: dict[str, Any]) -> tuple[bytes, str]:
        """Take the image out of an answer 200, or say why there is none: a refusal is a 200 as well."""
        encoded = _last_image(answer)
        if encoded is None:
            raise finished(answer)
        try:
            image = b64decode(encoded, validate=True)
            return image, checked_type(image, EDIT_TYPES, self.max_image_pixels)
        except OtherTypeError as error:
            raise EngineRejectedError(f"InvalidAnswer: {error}") from error
        except (TypeError, ValueError, UnsoundImageError) as error:
            raise EngineInvalidAnswerError(f"InvalidAnswer: {error}") from error


@lru_cache
def _client() -> httpx2.AsyncClient:
    # `run_within` ends a call whatever the server does.
    return httpx2.AsyncClient(timeout=httpx2.Timeout(None, connect=_CONNECT_SECONDS))


def _request(task: Task) -> tuple[dict[str, Any], str | None]:
    """Write a request; gives what was done to the picture for it, too."""
    share = _MAX_PICTURE_BYTES // len(task.pictures)
    pictures = [fitted(one, 10**9, share, "Gemini's") for one in task.pictures]
    config: dict[str, Any] = {"responseModalities": ["IMAGE"]}
    if (task.options.size or "auto") != "auto":
        config["imageConfig"] = _image_config(str(task.options.size))
    parts = [*(_inline(picture) for picture in pictures), {"text": task.prompt}]
    # Projects since 26 October 2026 keep what is sent unless a request says no ("Logs and datasets").
    request = {"contents": [{"role": "user", "parts": parts}], "generationConfig": config, "store": False}
    return request, pictures[0].note


def _inline(picture: Picture) -> dict[str, Any]:
    return {"inlineData": {"mimeType": picture.media_type, "data": b64encode(picture.body).decode()}}


def _image_config(size: str) -> dict[str, str]:
    """Say a size as Gemini takes it: a shape, and the smallest of its sizes that has as many pixels."""
    width, height = (int(side) for side in size.split("x"))
    name = next((name for name, pixels in _SIZES.items() if pixels >= width * height), "4K")
    shape = Shapes(GEMINI_SHAPES, width * height).name_of(width, height)
    return {"aspectRatio": str(shape), "imageSize": name}


def _parsed(response: httpx2.Response) -> dict[str, Any]:
    try:
        answer = json.loads(response.content)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise EngineInvalidAnswerError("InvalidAnswer: no JSON object in the answer of Gemini")
    return answer


def _last_image(answer: dict[str, Any]) -> str | None:
    """The image of an answer, as base64: the last one that is not a draft of the model's thinking."""
    try:
        parts = answer["candidates"][0]["content"]["parts"]
        images = [part["inlineData"]["data"] for part in parts if "inlineData" in part and not part.get("thought")]
        return images[-1] if images else None
    except (AttributeError, IndexError, KeyError, TypeError):
        return None


def _usage(answer: dict[str, Any], ms: int) -> Usage:
    # Thinking is charged as output (`UsageMetadata` in the API reference).
    counts = answer.get("usageMetadata")
    if not isinstance(counts, dict):
        counts = {}
    taken = {name: count for name, count in counts.items() if isinstance(count, int) and count >= 0}
    output = taken.get("candidatesTokenCount", 0) + taken.get("thoughtsTokenCount", 0)
    return Usage(ms, taken.get("promptTokenCount", 0), output)
