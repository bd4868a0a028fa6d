"""The three tools as watsonx Orchestrate uses them: known from the published document alone, strict about callbacks."""

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from PIL import Image
from typer import Typer
from typer.testing import CliRunner

from standins.wxo import WxoStandIn
from tests.support.pictures import picture
from tests.support.waiting import PATIENCE
from wxo import generate

FOLDER = "wxo-tools"


@pytest.fixture(scope="module")
def document(stack: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `make wxo-tools API_URL=…` writes for the stack."""
    app = Typer()
    app.command()(generate.main)
    output: Path = tmp_path_factory.mktemp("wxo") / "openapi.json"
    done = CliRunner().invoke(app, ["--api-url", stack.api_url, "--access", "open", "--output", str(output)])
    assert done.exit_code == 0, done.output
    made: dict[str, Any] = json.loads(output.read_text())
    return made


@pytest.fixture(scope="module")
def wxo(document: dict[str, Any]) -> Iterator[WxoStandIn]:
    """WXO, with the tools imported."""
    with WxoStandIn(document) as standin:
        yield standin


@pytest.fixture
def image_base64() -> str:
    """A picture as the flows' Python tool encodes it."""
    return base64.b64encode(picture(colour="navy")).decode()


def test_an_edited_image_comes_back(wxo: WxoStandIn, image_base64: str) -> None:
    result = wxo.call("processImageAsyncToBase64", prompt="a red sky", image_base64=image_base64, filename="sea.png")

    assert result.callback["status"] == "completed"
    assert result.callback["job_id"] == result.acknowledgement["job_id"]
    assert result.callback["filename"] == "sea.png"
    assert result.callback["result_mime_type"] == "image/png"
    with Image.open(io.BytesIO(base64.b64decode(result.callback["result_image_base64"], validate=True))) as edited:
        edited.load()
        assert edited.format == "PNG"


def test_an_edited_image_is_stored(wxo: WxoStandIn, image_base64: str) -> None:
    result = wxo.call("processImageAsyncToCos", prompt="a red sky", image_base64=image_base64)

    assert result.callback["status"] == "completed"
    assert "filename" not in result.callback
    with Image.open(io.BytesIO(httpx2.get(result.callback["result_url"], timeout=PATIENCE).content)) as edited:
        edited.load()


@pytest.mark.parametrize("tool", ["processImageAsyncToBase64", "processImageAsyncToCos"])
def test_a_failed_edit_says_why(wxo: WxoStandIn, image_base64: str, tool: str) -> None:
    result = wxo.call(tool, prompt="[fault:moderation]", image_base64=image_base64, filename="sea.png")

    assert set(result.callback) == {"status", "job_id", "filename", "error"}
    assert result.callback["status"] == "failed"
    assert "safety system" in result.callback["error"]


def test_a_folder_is_edited(wxo: WxoStandIn, stack: Any) -> None:
    s3 = stack.client("s3")
    for name in ("one.png", "two.png"):
        s3.put_object(Bucket=stack.input_bucket, Key=f"{FOLDER}/{name}", Body=picture())
    s3.put_object(Bucket=stack.input_bucket, Key=f"{FOLDER}/notes.txt", Body=b"no image")

    result = wxo.call("batchProcessImages", prompt="a red sky", prefix=FOLDER)

    batch = result.callback
    assert batch["status"] == "completed_with_errors"
    assert (batch["total_files"], batch["processed"], batch["failed"]) == (3, 2, 1)
    assert batch["total_files_processed"] == 2
    assert batch["errors"][0].startswith(f"{FOLDER}/notes.txt: ")
    assert "error" not in batch


def test_an_empty_folder_is_a_completed_batch(wxo: WxoStandIn) -> None:
    result = wxo.call("batchProcessImages", prompt="a red sky", prefix="nothing-here")

    assert result.callback["status"] == "completed"
    assert result.callback["total_files"] == 0
