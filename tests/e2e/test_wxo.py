"""Tools and flows as watsonx Orchestrate uses them: known from what it imports alone, strict about callbacks."""

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
from standins.wxo_flows import Call, FlowStandIn, ToolFailedError
from tests.support.adk import Kit, Tools
from tests.support.pictures import picture
from tests.support.waiting import PATIENCE
from wxo import generate

FOLDER = "wxo-tools"


@pytest.fixture(scope="module")
def documents(stack: Any, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What `make wxo-tools STACK_FILE=…` writes for the stack."""
    app = Typer()
    app.command()(generate.main)
    output: Path = tmp_path_factory.mktemp("wxo") / "openapi.json"
    described = output.with_name("stack.json")
    described.write_text(stack.model_dump_json())
    done = CliRunner().invoke(app, ["--stack-file", str(described), "--output", str(output)])
    assert done.exit_code == 0, done.output
    assert f"at {stack.api_url}, access control: open" in done.output
    return [json.loads(path.read_text()) for path in (output, output.with_name("agent-tools.json"))]


@pytest.fixture(scope="module")
def wxo(documents: list[dict[str, Any]]) -> Iterator[WxoStandIn]:
    """WXO, with the tools imported."""
    with WxoStandIn(*documents) as standin:
        yield standin


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Kit:
    """IBM's development kit, in whose environment flows are compiled and Python tools run."""
    return Kit(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def flows(kit: Kit, documents: list[dict[str, Any]]) -> dict[str, Any]:
    """The flows, as the kit compiles them."""
    return {flow["spec"]["name"]: flow for flow in kit.load(*documents)["flows"]}


@pytest.fixture(scope="module")
def tools(kit: Kit, stack: Any) -> Iterator[Tools]:
    """The Python tools, with the connection of an open stack."""
    with kit.tools(scheme="key_value_creds", url=stack.api_url) as made:
        yield made


@pytest.fixture(scope="module")
def call(wxo: WxoStandIn, tools: Tools) -> Call:
    """Calls a flow's tools for real: Python tools in the kit, the others over HTTP, until their callback."""

    def python_tool(name: str, arguments: dict[str, Any]) -> Any:
        answer = tools.call(name, **arguments)
        if "error" in answer:
            raise ToolFailedError(answer["error"])
        if "file" in answer:
            return wxo.keep_file("result", "image/png", base64.b64decode(answer["file"]))
        return answer["value"]

    def any_tool(name: str, arguments: dict[str, Any]) -> Any:
        if name not in wxo.tools:
            return python_tool(name, arguments)
        if name == "batchProcessImages":
            arguments |= {"prefix": FOLDER}  # other tests' images are in the bucket too
        try:
            return wxo.call(name, timeout=PATIENCE, **arguments).callback
        except ValueError as error:
            raise ToolFailedError(str(error)) from error

    return any_tool


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


def edited_picture(content: bytes) -> bool:
    with Image.open(io.BytesIO(content)) as edited:
        edited.load()
    return True


def test_a_flow_shows_an_image_over_the_limit_of_base64(wxo: WxoStandIn, flows: dict[str, Any], call: Call) -> None:
    large = picture(1300, 1200, file_format="BMP")
    assert len(large) > 4_500_000
    form = {"Prompt": "a red sky", "Image": wxo.keep_file("die see.bmp", "image/bmp", large)}

    run = FlowStandIn(flows["edit_image_and_show"], call, form=form).run()

    assert run.last == run.mapped
    assert run.last["status"] == "completed"
    assert run.last["error"] == ""
    assert edited_picture(wxo.file(run.last["image"]))
    job = wxo.ask("getJob", job_id=run.last["job_id"])
    assert (job["status"], job["delivery"]["status"]) == ("completed", "delivered")
    assert wxo.ask("listJobs", limit=1)["jobs"][0]["job_id"] == run.last["job_id"]
    with pytest.raises(ValueError, match="409"):
        wxo.ask("cancelJob", job_id=run.last["job_id"])


@pytest.mark.parametrize(
    ("prompt", "status", "words"),
    [("a red sky", "completed", ""), ("[fault:moderation]", "failed", "safety system"), (" ", "refused", "not accept")],
)
def test_a_flow_stores_an_image_or_says_why_not(
    wxo: WxoStandIn, flows: dict[str, Any], call: Call, prompt: str, status: str, words: str
) -> None:
    form = {"Prompt": prompt, "Image": wxo.keep_file("sea.png", "image/png", picture())}

    run = FlowStandIn(flows["edit_image_and_store"], call, form=form).run()

    assert run.last == run.mapped
    assert run.last["status"] == status
    assert words in run.last["error"]
    if status == "completed":
        assert edited_picture(httpx2.get(run.last["result_url"], timeout=PATIENCE).content)


def test_an_agent_uploads_edits_and_fetches(wxo: WxoStandIn, tools: Tools) -> None:
    uploaded = tools.call("upload_image", image=wxo.keep_file("sea.png", "image/png", picture()))["value"]

    result = wxo.call("editImage", prompt="a red sky", image_key=uploaded["image_key"], timeout=PATIENCE)

    fetched = tools.call("fetch_result", job_id=result.callback["job_id"])
    assert edited_picture(base64.b64decode(fetched["file"]))


def test_a_flow_edits_a_folder_and_its_failed_images_are_edited_again(
    wxo: WxoStandIn, stack: Any, flows: dict[str, Any], call: Call
) -> None:
    s3 = stack.client("s3")
    for name, content in {"one.png": picture(), "two.png": picture(), "notes.txt": b"no image"}.items():
        s3.put_object(Bucket=stack.input_bucket, Key=f"{FOLDER}/{name}", Body=content)
    dry_run = wxo.call("batchProcessImages", prompt="a red sky", prefix=FOLDER, dry_run=True, timeout=PATIENCE).callback
    assert dry_run["errors"][0].startswith("dry run: 3 images")

    run = FlowStandIn(flows["edit_folder"], call, inputs={"prompt": "a red sky"}).run()

    assert run.last == run.mapped
    assert run.last["status"] == "completed_with_errors"
    assert (run.last["total_files"], run.last["processed"], run.last["failed"]) == (3, 2, 1)
    again = wxo.call("retryJob", job_id=run.last["job_id"], timeout=PATIENCE).callback
    assert (again["total_files"], again["failed"]) == (1, 1)
