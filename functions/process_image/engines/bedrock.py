"""Asks Stability AI's image services on Amazon Bedrock for one edit, by InvokeModel of boto3's bedrock-runtime.

What each service takes: "Stability AI Image Services" in the Amazon Bedrock User Guide. The catalogue names each as AWS
does; it is called by its inference profile, since none of them can be invoked in a single region.
"""

import asyncio
import json
import sys
from base64 import b64decode, b64encode
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from PIL import ImageChops

from functions.process_image import png
from functions.process_image.engines.answers import OtherTypeError, UnsoundImageError, checked_type, run_within
from functions.process_image.engines.bedrock_errors import refused, translated
from functions.process_image.engines.engine import Edit, OnUsage, Task, Usage
from functions.process_image.pictures import Picture, fitted, opened
from imagejobs.errors import (
    EngineInvalidAnswerError,
    EngineRejectedError,
    EngineRetryableError,
    UnsupportedImageError,
)

if TYPE_CHECKING:
    from mypy_boto3_bedrock_runtime.client import BedrockRuntimeClient

NAME = "bedrock"
# `Body` of InvokeModel in the SDK's model of the service, and what it may hold beside pictures as base64.
_MAX_BODY_BYTES = 25_000_000
_MAX_PICTURE_BYTES = (_MAX_BODY_BYTES - 100_000) // 4 * 3
# The longest that outpainting adds on one side.
_MAX_ADDED = 2000


@dataclass(frozen=True)
class Service:
    """One service: the fields of its request, and the pictures that it takes."""

    image: str = "image"
    prompt: bool = True
    # The field that says what in the picture is meant.
    search: str = ""
    mask: bool = False
    # The field of a reference.
    reference: str = ""
    # Whether the picture becomes larger on all sides, up to `size`.
    outpaints: bool = False
    max_pixels: int = 9_437_184
    min_side: int = 64
    max_side: int = 100_000
    max_ratio: float = 2.5


SERVICES = {
    "stability.stable-image-control-structure-v1:0": Service(),
    "stability.stable-image-control-sketch-v1:0": Service(),
    "stability.stable-style-transfer-v1:0": Service(image="init_image", reference="style_image"),
    "stability.stable-image-search-replace-v1:0": Service(search="search_prompt"),
    "stability.stable-image-search-recolor-v1:0": Service(search="select_prompt"),
    "stability.stable-image-inpaint-v1:0": Service(mask=True),
    "stability.stable-image-erase-object-v1:0": Service(mask=True, prompt=False),
    "stability.stable-outpaint-v1:0": Service(outpaints=True),
    "stability.stable-image-remove-background-v1:0": Service(prompt=False),
    "stability.stable-fast-upscale-v1:0": Service(
        prompt=False, max_pixels=1_048_576, min_side=32, max_side=1536, max_ratio=48
    ),
    "stability.stable-conservative-upscale-v1:0": Service(),
    "stability.stable-creative-upscale-v1:0": Service(max_pixels=1_048_576, max_ratio=256),
}


@dataclass(frozen=True)
class BedrockEngine:
    """The engine. `geography` is that of the inference profiles ("us")."""

    client: "BedrockRuntimeClient"
    geography: str
    max_image_pixels: int

    def edit(self, task: Task, on_usage: OnUsage) -> Edit:
        """Have a picture edited by the service that the task's model is; raises what `Engine.edit` raises."""
        model = str(task.options.model)
        request, note = _request(task, SERVICES[model], model)
        media_type = f"image/{request['output_format']}"
        body, started = json.dumps(request), monotonic()
        try:
            answer = run_within(task.timeout, asyncio.to_thread(self._invoke, f"{self.geography}.{model}", body))
        except TimeoutError:
            late = EngineRetryableError(f"TimeoutError: Amazon Bedrock gave no answer in {task.timeout:.0f} s")
            late.may_have_cost = True
            raise late from None
        except (BotoCoreError, ClientError) as error:
            raise translated(error, task.prompt) from error
        usage = Usage(round((monotonic() - started) * 1000))
        on_usage(usage)
        image = _image(answer, media_type, self.max_image_pixels)
        return Edit(image, media_type, NAME, model, usage, note)

    def _invoke(self, model_id: str, body: str) -> bytes:
        answer = self.client.invoke_model(
            modelId=model_id, body=body, contentType="application/json", accept="application/json"
        )
        return answer["body"].read()


def _request(task: Task, service: Service, model: str) -> tuple[dict[str, Any], str | None]:
    """Write a service's request; gives what was done to the picture for it, too."""
    sent = [task.pictures[0], *(task.pictures[1:2] if service.reference else ())]
    mask = _white_where_transparent(task.mask) if service.mask and task.mask else b""
    # Each takes its share of the body.
    share = (_MAX_PICTURE_BYTES - len(mask)) // len(sent)
    picture, *references = [_fitted(one, service, model, share) for one in sent]
    request: dict[str, Any] = {
        service.image: _base64(picture.body),
        "output_format": task.options.output_format or "png",
    }
    if service.prompt:
        request["prompt"] = task.prompt
    if service.search:
        request[service.search] = task.options.search
    if mask:
        request["mask"] = _base64(mask)
    if references:
        request[service.reference] = _base64(references[0].body)
    if service.outpaints:
        request |= _added(str(task.options.size), *picture.size)
    return request, picture.note


def _fitted(picture: Picture, service: Service, model: str, max_bytes: int) -> Picture:
    """Scale a picture down to what a service takes; raises UnsupportedImageError for one that no scaling fits."""
    width, height = picture.size
    longest = max(width, height)
    max_pixels = min(service.max_pixels, int(width * height * (service.max_side / longest) ** 2))
    fitting = fitted(picture, max_pixels, max_bytes, "Amazon Bedrock's")
    if min(fitting.size) < service.min_side or longest > service.max_ratio * min(width, height):
        raise UnsupportedImageError(
            f"the picture is {width} x {height} pixels: {model} takes pictures of at least {service.min_side} pixels a "
            f"side, at most {service.max_ratio:g} times as long as wide"
        )
    return fitting


def _added(size: str, width: int, height: int) -> dict[str, int]:
    """How many pixels outpainting adds on each side, so that the picture is in the middle of the size asked for."""
    wide, high = (int(side) for side in size.split("x"))
    across, down = wide - width, high - height
    if min(across, down) < 0 or across + down == 0 or max(across, down) > 2 * _MAX_ADDED:
        raise EngineRejectedError(
            f"InvalidSize: {size} was asked for, and the picture is {width}x{height}. Outpainting makes a picture "
            f"larger, by up to {_MAX_ADDED} pixels on each side"
        )
    sides = {"left": across // 2, "right": across - across // 2, "up": down // 2, "down": down - down // 2}
    return {side: pixels for side, pixels in sides.items() if pixels}


def _white_where_transparent(mask: Picture) -> bytes:
    """A task's mask as the services take it: white is what changes."""
    with opened(mask.body, sys.maxsize) as file:
        return png.encode(ImageChops.invert(file.decoded().convert("RGBA").getchannel("A")))


def _base64(body: bytes) -> str:
    return b64encode(body).decode()


def _image(answer: bytes, media_type: str, max_pixels: int) -> bytes:
    """Take the image out of an answer 200, or say why there is none: a filter's refusal is a 200 as well."""
    name = "InvalidAnswer"
    try:
        parsed = json.loads(answer)
        reason = next((one for one in parsed.get("finish_reasons") or [] if one), None)
        if reason is not None:
            raise refused(str(reason))
        image = b64decode(parsed["images"][0], validate=True)
        checked_type(image, [media_type], max_pixels)
    except OtherTypeError as error:
        raise EngineRejectedError(f"{name}: {error}") from error
    except UnsoundImageError as error:
        raise EngineInvalidAnswerError(f"{name}: {error}") from error
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        raise EngineInvalidAnswerError(f"{name}: no image in the answer of Amazon Bedrock") from None
    return image
