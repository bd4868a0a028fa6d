"""What the OpenAI stand-in's moderation model answers: it flags what a prompt or a PNG asks it to flag.

A prompt that holds `[flag:violence]` is flagged with that category, a PNG with a text chunk `flag` with its value.
"""

import base64
import binascii
import json
import re
from io import BytesIO
from typing import Any

from openai.types import moderation
from PIL import Image

from standins.openai_answers import refused
from standins.server import Answer

_MAX_IMAGE_BYTES = 20_000_000
_FLAG = re.compile(r"\[flag:([\w/-]+)\]")
_DATA_URL = re.compile(r"data:image/(?:png|jpeg|webp);base64,(.*)", re.DOTALL)
_CATEGORIES = [field.alias or name for name, field in moderation.Categories.model_fields.items()]


def moderated(body: bytes) -> Answer:
    """Answer `POST /v1/moderations` with a text and a picture, as omni-moderation-latest does."""
    try:
        request = json.loads(body)
        parts = {part["type"]: part for part in request["input"]}
        image = _decoded(parts["image_url"]["image_url"]["url"])
        flags = set(_FLAG.findall(parts["text"]["text"])) | _flags_of(image)
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        return refused(400, "invalid_value", "invalid_request_error", f"Invalid input: {error!r}")
    if len(image) > _MAX_IMAGE_BYTES:
        return refused(400, "image_too_large", "invalid_request_error", "Image files are limited to 20 MB.")
    return Answer(body={"id": "modr-1", "model": request["model"], "results": [_result(flags)]})


def _result(flags: set[str]) -> dict[str, Any]:
    return {
        "flagged": bool(flags),
        "categories": {name: name in flags for name in _CATEGORIES},
        "category_scores": {name: float(name in flags) for name in _CATEGORIES},
        "category_applied_input_types": {name: ["text"] for name in _CATEGORIES},
    }


def _decoded(url: str) -> bytes:
    found = _DATA_URL.fullmatch(url)
    if not found:
        raise ValueError("a data URL with a PNG, JPEG or WebP is expected")
    return base64.b64decode(found[1], validate=True)


def _flags_of(image: bytes) -> set[str]:
    with Image.open(BytesIO(image)) as opened:
        return {opened.info["flag"]} if "flag" in opened.info else set()
