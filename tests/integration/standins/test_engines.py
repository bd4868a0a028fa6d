"""The stand-ins for Amazon Bedrock and Gemini: faults by prompt and the list of calls. Their wire formats, the tests of
the engines show."""

import base64
from typing import Any

import httpx2
import pytest

from standins.bedrock import FAULTS as BEDROCK_FAULTS
from standins.bedrock import BedrockStandIn
from standins.gemini import FAULTS as GEMINI_FAULTS
from standins.gemini import GeminiStandIn
from standins.scripted import ScriptedServer
from standins.server import Answer
from tests.support.pictures import picture

IMAGE = base64.b64encode(picture(80, 80)).decode()
BEDROCK = ("/model/us.stability.stable-image-control-structure-v1%3A0/invoke", {"prompt": "", "image": IMAGE})
GEMINI = (
    "/models/gemini-nano-banana-2.1:generateContent",
    {
        "contents": [{"parts": [{"inlineData": {"mimeType": "image/png", "data": IMAGE}}, {"text": ""}]}],
        "generationConfig": {"responseModalities": ["IMAGE"]},
    },
)


def ask(server: ScriptedServer, prompt: str, http: httpx2.Client) -> httpx2.Response:
    path, body = BEDROCK if isinstance(server, BedrockStandIn) else GEMINI
    asked: dict[str, Any] = {**body}
    if "prompt" in asked:
        asked["prompt"] = prompt
    else:
        asked["contents"] = [{"parts": [asked["contents"][0]["parts"][0], {"text": prompt}]}]
    return http.post(f"{server.base_url}{path}", json=asked, headers={"x-goog-api-key": "any"})


def _answers(faults: dict[str, Answer]) -> dict[str, Answer]:
    return {name: answer for name, answer in faults.items() if answer.connection == "kept"}


@pytest.mark.parametrize(("stand_in", "faults"), [(BedrockStandIn, BEDROCK_FAULTS), (GeminiStandIn, GEMINI_FAULTS)])
def test_a_prompt_may_ask_for_its_fault_and_every_call_is_listed(
    stand_in: type[ScriptedServer], faults: dict[str, Answer], http: httpx2.Client
) -> None:
    named = _answers(faults)
    with stand_in() as server:
        answers = [ask(server, f"make it green [fault:{name}]", http) for name in named]
        edited = ask(server, "make it green [fault:none of these]", http)
        calls = http.get(f"{server.base_url.removesuffix('/v1beta')}/_control/calls").json()

    assert [answer.status_code for answer in answers] == [fault.status for fault in named.values()]
    assert [answer.json() for answer in answers] == [fault.body for fault in named.values()]
    assert edited.status_code == 200
    assert [(call["fault"], call["status"]) for call in calls] == [
        *((name, fault.status) for name, fault in named.items()),
        (None, 200),
    ]
    assert {"rate_limit", "moderation", "server_error"} <= named.keys()


@pytest.mark.parametrize("stand_in", [BedrockStandIn, GeminiStandIn])
def test_what_the_provider_does_not_know_is_refused(stand_in: type[ScriptedServer], http: httpx2.Client) -> None:
    path, body = BEDROCK if stand_in is BedrockStandIn else GEMINI
    with stand_in() as server:
        for address, sent in [("/nothing", body), (path.replace("-", "_"), body), (path, {**body, "more": 1})]:
            answer = http.post(f"{server.base_url}{address}", json=sent, headers={"x-goog-api-key": "any"})
            assert answer.status_code in (400, 404)
