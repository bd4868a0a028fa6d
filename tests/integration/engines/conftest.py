"""The engines of other providers, each with its stand-in over real HTTP."""

from collections.abc import Callable, Iterator

import pytest

from functions.process_image.engines.bedrock import BedrockEngine
from functions.process_image.engines.engine import Edit, Task, Usage
from functions.process_image.engines.gemini import GeminiEngine
from functions.process_image.pictures import Picture
from imagejobs.edit_options import EditOptions
from imagejobs.resources import Clients
from standins.bedrock import BedrockStandIn
from standins.gemini import GeminiStandIn
from tests.support.pictures import picture
from tests.support.waiting import PATIENCE

STRUCTURE = "stability.stable-image-control-structure-v1:0"
NANO_BANANA = "gemini-nano-banana-2.1"
EDITED = picture(96, 64, "crimson")
PICTURE = Picture(picture(160, 120), "image/png")
MAX_PIXELS = 64_000_000

type MakeBedrock = Callable[[str], BedrockEngine]


@pytest.fixture
def make_bedrock(monkeypatch: pytest.MonkeyPatch) -> MakeBedrock:
    """Makes the engine, at an address."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    return lambda address: BedrockEngine(Clients().bedrock("us-east-1", address), "us", MAX_PIXELS)


@pytest.fixture
def bedrock_server() -> Iterator[BedrockStandIn]:
    """Amazon Bedrock's stand-in, which answers at once."""
    with BedrockStandIn() as server:
        yield server


@pytest.fixture
def bedrock(make_bedrock: MakeBedrock, bedrock_server: BedrockStandIn) -> BedrockEngine:
    """The engine, at its stand-in."""
    return make_bedrock(bedrock_server.base_url)


@pytest.fixture
def gemini_server() -> Iterator[GeminiStandIn]:
    """Gemini's stand-in, which answers at once."""
    with GeminiStandIn() as server:
        yield server


@pytest.fixture
def gemini(gemini_server: GeminiStandIn) -> GeminiEngine:
    """The engine, at its stand-in."""
    return GeminiEngine("gm-test", MAX_PIXELS, gemini_server.base_url)


def task(
    model: str,
    *pictures: Picture,
    prompt: str = "make the sky purple",
    mask: Picture | None = None,
    timeout: float = PATIENCE,
    **options: object,
) -> Task:
    """What an engine is asked for."""
    chosen = EditOptions.model_validate({"model": model} | options)
    return Task(pictures or (PICTURE,), prompt, chosen, timeout, mask=mask)


def edit(engine: BedrockEngine | GeminiEngine, asked: Task) -> tuple[Edit, list[Usage]]:
    """Have a task done; gives the edit and what was heard of usage."""
    heard: list[Usage] = []
    return engine.edit(asked, heard.append), heard
