"""A stand-in for Amazon Bedrock that speaks `POST /model/{modelId}/invoke` for Stability AI's image services.

`python -m standins.bedrock --port 8084` runs it by itself; boto3 is pointed at it by `endpoint_url`. It checks requests
as "Stability AI Image Services" in the Amazon Bedrock User Guide has them, and no signature.
"""

import base64
import binascii
import re
from io import BytesIO
from typing import Any
from urllib.parse import unquote

import typer
from PIL import Image, UnidentifiedImageError
from werkzeug import Request

from standins.edits import FORMATS, edit_of
from standins.scripted import ScriptedServer
from standins.server import Answer

_PATH = re.compile(r"/model/([^/]+)/invoke")
_IMAGE, _PROMPT = {"image"}, {"prompt", "image"}
# The fields that each service needs, and those that it takes beside them (of which some are never sent here).
_COMMON = {"output_format", "seed"}
_STYLE = {"negative_prompt", "style_preset"}
_SERVICES: dict[str, tuple[set[str], set[str]]] = {
    "stable-image-control-structure-v1:0": (_PROMPT, _STYLE | {"control_strength"}),
    "stable-image-control-sketch-v1:0": (_PROMPT, _STYLE | {"control_strength"}),
    "stable-style-transfer-v1:0": (
        {"init_image", "style_image"},
        {"prompt", "negative_prompt", "composition_fidelity", "style_strength", "change_strength"},
    ),
    "stable-image-search-replace-v1:0": ({*_PROMPT, "search_prompt"}, _STYLE | {"grow_mask"}),
    "stable-image-search-recolor-v1:0": ({*_PROMPT, "select_prompt"}, _STYLE | {"grow_mask"}),
    "stable-image-inpaint-v1:0": (_PROMPT, _STYLE | {"mask", "grow_mask"}),
    "stable-image-erase-object-v1:0": (_IMAGE, {"mask", "grow_mask"}),
    "stable-outpaint-v1:0": (_IMAGE, {"prompt", "style_preset", "creativity", "left", "right", "up", "down"}),
    "stable-image-remove-background-v1:0": (_IMAGE, set()),
    "stable-fast-upscale-v1:0": (_IMAGE, set()),
    "stable-conservative-upscale-v1:0": (_PROMPT, {"negative_prompt", "creativity"}),
    "stable-creative-upscale-v1:0": (_PROMPT, _STYLE | {"creativity"}),
}
_SMALL = ("stable-fast-upscale", "stable-creative-upscale")
_MAX_PIXELS, _MAX_SMALL_PIXELS = 9_437_184, 1_048_576


def refused(status: int, kind: str, message: str = "No.") -> Answer:
    """An error of the service, in the form of AWS's REST-JSON protocol."""
    return Answer(status, {"message": message}, {"x-amzn-ErrorType": f"{kind}:http://internal.amazon.com/"})


def edited(image: bytes) -> Answer:
    """An edit that worked."""
    return Answer(body={"seeds": [1], "finish_reasons": [None], "images": [base64.b64encode(image).decode()]})


def filtered(reason: str) -> Answer:
    """An answer 200 without an image."""
    return Answer(body={"finish_reasons": [reason]})


FAULTS = {
    "rate_limit": refused(429, "ThrottlingException", "Too many requests, please wait before trying again."),
    "quota": refused(400, "ServiceQuotaExceededException"),
    "moderation": filtered("Filter reason: prompt"),
    "inference_error": filtered("Inference error"),
    "server_error": refused(500, "InternalServerException"),
    "unavailable": refused(503, "ServiceUnavailableException"),
    "access_denied": refused(403, "AccessDeniedException"),
    "garbage_image": edited(b"not an image" * 64),
    "hang": Answer(connection="hang"),
    "drop": Answer(connection="drop"),
}


class BedrockStandIn(ScriptedServer):
    """The stand-in; a context manager."""

    faults = FAULTS

    def answered(self, request: Request) -> Answer:
        """Answer as the service does."""
        found = _PATH.fullmatch(unquote(request.path))
        if request.method != "POST" or not found:
            return refused(404, "UnknownOperationException")
        model = found[1]
        asked = request.get_json(force=True, silent=True)
        if not isinstance(asked, dict):
            return refused(400, "ValidationException", "Malformed input request")
        call, scripted = self.scripted(model, str(asked.get("prompt", "")), asked)
        answer = scripted or _made(model, asked)
        call.status = answer.status
        return answer


def _made(model: str, asked: dict[str, Any]) -> Answer:
    geography, _, service = model.partition(".stability.")
    if service not in _SERVICES or geography not in ("us", "eu", "apac"):
        return refused(400, "ValidationException", f"The provided model identifier is invalid: {model}")
    try:
        if problem := _problem(service, asked):
            return refused(400, "ValidationException", problem)
        image = base64.b64decode(asked.get("image") or asked["init_image"], validate=True)
    except (binascii.Error, UnidentifiedImageError, OSError):
        return refused(400, "ValidationException", "Malformed input request: an image is not one, or not as base64")
    return edited(edit_of(image, str(asked.get("prompt", service)), asked.get("output_format", "png")))


def _problem(service: str, asked: dict[str, Any]) -> str:
    """Say what the service would find wrong with a request; empty when it would find nothing."""
    needed, taken = _SERVICES[service]
    if missing := sorted(needed - asked.keys()):
        return f"required key {missing} not found"
    if unknown := sorted(asked.keys() - needed - taken - _COMMON):
        return f"extraneous key {unknown} is not permitted"
    if asked.get("output_format", "png") not in FORMATS:
        return "output_format: must be one of jpeg, png, webp"
    if service.startswith("stable-outpaint") and not any(asked.get(side) for side in ("left", "right", "up", "down")):
        return "at least one outpaint direction must be supplied with a non-zero value"
    limit = _MAX_SMALL_PIXELS if service.startswith(_SMALL) else _MAX_PIXELS
    for name in ("image", "init_image", "style_image", "mask"):
        if name in asked:
            with Image.open(
                BytesIO(base64.b64decode(asked[name], validate=True)), formats=[*FORMATS.values()]
            ) as image:
                if image.width * image.height > limit or min(image.size) < 32:
                    return f"{name}: the total pixel count must be at most {limit:,}"
    return ""


def main(port: int = 8084, latency: float = 0.5) -> None:
    """Stand in for Amazon Bedrock until the process is ended."""
    BedrockStandIn(port, latency).run()


if __name__ == "__main__":
    typer.run(main)
