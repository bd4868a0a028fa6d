"""A stand-in for the Gemini API that speaks `POST /v1beta/models/{model}:generateContent` for image models.

`python -m standins.gemini --port 8085` runs it by itself. It checks requests as "Generating content" in the Gemini API
reference has them.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

import typer
from PIL import UnidentifiedImageError
from werkzeug import Request

from imagejobs.prices import PriceList
from standins.edits import edit_of
from standins.scripted import ScriptedServer
from standins.server import Answer

_PATH = re.compile(r"/v1beta/models/([\w.-]+):generateContent")
_MODELS = ("gemini-nano-banana-2.1", "gemini-3-pro-image", "gemini-3.1-flash-lite-image")
_RATIOS = ["1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9"]
USAGE = {
    "promptTokenCount": 1302,
    "candidatesTokenCount": 1120,
    "thoughtsTokenCount": 214,
    "totalTokenCount": 2636,
}


def refused(http: int, status: str, message: str = "No.", *details: dict[str, Any], **headers: str) -> Answer:
    """An error in the form of google.rpc.Status; `Retry_After="5"` is a header."""
    error = {"code": http, "message": message, "status": status, "details": list(details)}
    return Answer(http, {"error": error}, {name.replace("_", "-"): value for name, value in headers.items()})


def retry_info(delay: str) -> dict[str, str]:
    """The detail of an error that says when to come again."""
    return {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}


def usage_of(model: str, size: str) -> dict[str, int]:
    """What an edit by a model takes: output tokens by the price list, for a size such as "2K"."""
    price = PriceList().find(model)
    made = price.output_tokens.get(size, USAGE["candidatesTokenCount"]) if price else USAGE["candidatesTokenCount"]
    total = USAGE["totalTokenCount"] - USAGE["candidatesTokenCount"] + made
    return {**USAGE, "candidatesTokenCount": made, "totalTokenCount": total}


def edited(image: bytes, media_type: str = "image/png", usage: Mapping[str, int] = USAGE) -> Answer:
    """An edit that worked."""
    part = {"inlineData": {"mimeType": media_type, "data": base64.b64encode(image).decode()}}
    return finished("STOP", part, usage=usage)


def finished(reason: str, *parts: dict[str, Any], usage: Mapping[str, int] = USAGE) -> Answer:
    """An answer 200 with these parts."""
    content = {"role": "model", "parts": list(parts)} if parts else {}
    candidate = {"content": content, "finishReason": reason, "index": 0}
    return Answer(body={"candidates": [candidate], "usageMetadata": usage, "modelVersion": "stand-in"})


def blocked(reason: str) -> Answer:
    """An answer 200 to a prompt that was refused."""
    return Answer(body={"promptFeedback": {"blockReason": reason}, "usageMetadata": {"promptTokenCount": 1302}})


_EXHAUSTED = "RESOURCE_EXHAUSTED"
SPENDING_CAP = refused(
    429, _EXHAUSTED, "Your project has exceeded its monthly spending cap. Please go to AI Studio to manage it."
)
FAULTS = {
    "billing_hard_limit": SPENDING_CAP,
    "rate_limit": refused(429, _EXHAUSTED, "You exceeded your current quota. Please retry in 2s.", retry_info("2s")),
    "moderation": blocked("PROHIBITED_CONTENT"),
    "image_safety": finished("IMAGE_SAFETY"),
    "no_image": finished("NO_IMAGE", {"text": "I can only describe it."}),
    "invalid_api_key": refused(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key."),
    "server_error": refused(500, "INTERNAL"),
    "unavailable": refused(503, "UNAVAILABLE", "The model is overloaded. Please try again later."),
    "garbage_image": edited(b"not an image" * 64),
    "hang": Answer(connection="hang"),
    "drop": Answer(connection="drop"),
}


class GeminiStandIn(ScriptedServer):
    """The stand-in; a context manager. `keys` are the API keys that came, in headers."""

    faults = FAULTS

    def __init__(self, port: int = 0, latency: float = 0) -> None:
        super().__init__(port, latency)
        self.keys: set[str] = set()

    @property
    def base_url(self) -> str:
        """The API's base URL, with its version."""
        return f"{super().base_url}/v1beta"

    def answered(self, request: Request) -> Answer:
        """Answer as the API does."""
        found = _PATH.fullmatch(request.path)
        if request.method != "POST" or not found:
            return refused(404, "NOT_FOUND", f"no such method: {request.path}")
        key, asked = request.headers.get("x-goog-api-key", ""), request.get_json(force=True, silent=True)
        if not key or request.args:
            return refused(403, "PERMISSION_DENIED", "Method doesn't allow unregistered callers.")
        self.keys.add(key)
        if not isinstance(asked, dict):
            return refused(400, "INVALID_ARGUMENT", "Invalid JSON payload received.")
        call, scripted = self.scripted(found[1], _prompt(asked), asked)
        answer = scripted or _made(found[1], asked)
        call.status = answer.status
        return answer


def _parts(asked: dict[str, Any]) -> list[dict[str, Any]]:
    return [part for content in asked.get("contents", []) for part in content.get("parts", [])]


def _prompt(asked: dict[str, Any]) -> str:
    return " ".join(part["text"] for part in _parts(asked) if "text" in part)


def _image_config(asked: dict[str, Any]) -> dict[str, str]:
    config: dict[str, str] = asked["generationConfig"].get("imageConfig", {"aspectRatio": "1:1", "imageSize": "1K"})
    return config


def _made(model: str, asked: dict[str, Any]) -> Answer:
    if model not in _MODELS:
        return refused(404, "NOT_FOUND", f"models/{model} is not found for API version v1beta")
    if problem := _problem(asked):
        return refused(400, "INVALID_ARGUMENT", problem)
    pictures = [part["inlineData"]["data"] for part in _parts(asked) if "inlineData" in part]
    try:
        made = edit_of(base64.b64decode(pictures[0], validate=True), _prompt(asked), "png")
        return edited(made, usage=usage_of(model, _image_config(asked)["imageSize"]))
    except (IndexError, binascii.Error, UnidentifiedImageError):
        return refused(400, "INVALID_ARGUMENT", "Unable to process input image.")


def _problem(asked: dict[str, Any]) -> str:
    """Say what the API would find wrong with a request; empty when it would find nothing."""
    if unknown := sorted(asked.keys() - {"contents", "generationConfig", "store"}):
        return f'Invalid JSON payload received. Unknown name "{unknown[0]}": Cannot find field.'
    if asked.get("generationConfig", {}).get("responseModalities") != ["IMAGE"]:
        return "responseModalities: only IMAGE is understood by this stand-in"
    image = _image_config(asked)
    if image["aspectRatio"] not in _RATIOS or image["imageSize"] not in ("1K", "2K", "4K"):
        return "imageConfig: unknown aspect ratio or size"
    return ""


def main(port: int = 8085, latency: float = 0.5) -> None:
    """Stand in for the Gemini API until the process is ended."""
    GeminiStandIn(port, latency).run()


if __name__ == "__main__":
    typer.run(main)
