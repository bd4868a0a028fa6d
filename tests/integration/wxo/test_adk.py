"""What wxo/ holds, as IBM's own development kit reads it, offline."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from functions.accept.http.openapi import wxo_document
from functions.accept.http.routes import ROUTES
from functions.accept.settings import AccessControl

ROOT = Path(__file__).parents[3]
PROBE = Path(__file__).with_name("adk_probe.py")
URL = "https://abc123.execute-api.eu-central-1.amazonaws.com/v1"


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the kit made of the tools, flows, Python tools and agents; it is installed first where it is not."""
    made = subprocess.run(["make", "-s", "adk"], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert made.returncode == 0, f"make adk failed:\n{made.stdout}{made.stderr}"
    home = tmp_path_factory.mktemp("home")
    document = home / "openapi.json"
    document.write_text(json.dumps(wxo_document(ROUTES, URL, access=AccessControl.API_KEY)))
    probe = subprocess.run(
        [ROOT / ".venv-adk/bin/python", PROBE, document],
        env={"PATH": os.environ["PATH"], "HOME": str(home)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert probe.returncode == 0, f"the kit refused something:\n{probe.stderr}"
    found: dict[str, Any] = json.loads(probe.stdout.splitlines()[-1])
    return found


def test_importer_makes_three_asynchronous_tools(kit: dict[str, Any]) -> None:
    tools = {tool["name"]: tool for tool in kit["tools"]}

    assert list(tools) == ["processImageAsyncToBase64", "processImageAsyncToCos", "batchProcessImages"]
    for tool in tools.values():
        assert tool["is_async"] is True
        assert tool["permission"] == "read_write"
        assert tool["binding"]["openapi"]["servers"] == [URL]
        assert tool["binding"]["openapi"]["security"] == [{"type": "apiKey", "in": "header", "name": "x-api-key"}]


def test_importer_keeps_the_callback_url_from_the_agent(kit: dict[str, Any]) -> None:
    for tool in kit["tools"]:
        assert list(tool["input_schema"]["properties"]) == ["__requestBody__"]
        assert "callbackurl" not in json.dumps(tool["input_schema"]).lower()


def test_importer_fills_acknowledgement_and_callback(kit: dict[str, Any]) -> None:
    for tool in kit["tools"]:
        binding = tool["binding"]["openapi"]
        assert set(binding["acknowledgement"]["output_schema"]["properties"]) == {"accepted", "job_id"}
        assert binding["callback"]["callback_url"] == "{$request.header.callbackUrl}"
        assert binding["callback"]["method"] == "POST"
        assert binding["callback"]["output_schema"]["type"] == "object"
        assert binding["callback"]["output_schema"]["description"]


@pytest.mark.parametrize(
    ("name", "required"),
    [
        ("processImageAsyncToBase64", {"status", "job_id"}),
        ("processImageAsyncToCos", {"status", "job_id"}),
        (
            "batchProcessImages",
            {"status", "job_id", "total_files", "processed", "failed", "fallback_local", "total_files_processed"}
            | {"duration_seconds", "output_bucket", "output_prefix", "errors"},
        ),
    ],
)
def test_importer_reads_the_payload_strictly(kit: dict[str, Any], name: str, required: set[str]) -> None:
    tool = next(tool for tool in kit["tools"] if tool["name"] == name)
    payload = tool["output_schema"]["properties"]["__requestBody__"]

    assert payload["additionalProperties"] is False
    assert set(payload["required"]) == required
    assert payload["properties"]["status"]["enum"]


def test_flows_call_the_tools(kit: dict[str, Any]) -> None:
    def tools_of(flow: dict[str, Any]) -> set[str]:
        return {node["spec"]["tool"] for node in flow["nodes"].values() if node["spec"]["kind"] == "tool"}

    flows = {flow["spec"]["name"]: tools_of(flow) for flow in kit["flows"]}

    assert flows == {
        "edit_folder": {"batchProcessImages"},
        "edit_image_and_show": {"image_to_base64", "processImageAsyncToBase64", "base64_to_image"},
        "edit_image_and_store": {"image_to_base64", "processImageAsyncToCos"},
    }


def test_flows_expect_exactly_the_callback_of_their_tool(kit: dict[str, Any]) -> None:
    payloads = {tool["name"]: tool["output_schema"]["properties"]["__requestBody__"] for tool in kit["tools"]}
    seen = set()
    for flow in kit["flows"]:
        for node in flow["nodes"].values():
            payload = payloads.get(node["spec"].get("tool", ""))
            if payload is None:
                continue
            seen.add(node["spec"]["tool"])
            expected = flow["schemas"][node["spec"]["output_schema"]["$ref"].rsplit("/", 1)[1]]
            taken = flow["schemas"][node["spec"]["input_schema"]["$ref"].rsplit("/", 1)[1]]
            tool = next(tool for tool in kit["tools"] if tool["name"] == node["spec"]["tool"])
            body = tool["input_schema"]["properties"]["__requestBody__"]
            types = {name: field["type"] for name, field in expected["properties"].items()}
            assert types == {name: field["type"] for name, field in payload["properties"].items()}
            assert set(expected["required"]) == set(payload["required"])
            assert set(taken["properties"]) <= set(body["properties"])
    assert seen == set(payloads)


def test_flows_refer_to_nodes_that_exist(kit: dict[str, Any]) -> None:
    for flow in kit["flows"]:
        nodes = set(flow["nodes"])
        assert {end for edge in flow["edges"] for end in (edge["start"], edge["end"])} <= nodes
        expressions = json.dumps(flow).replace('\\"', "'")
        named = {part.split("']", 1)[0] for part in expressions.split("flow['")[1:]}
        assert named
        assert named <= nodes


def test_python_tools_go_there_and_back(kit: dict[str, Any]) -> None:
    encoded, decoded = kit["round_trip"]

    assert encoded == "iVBORw0K"
    assert bytes(decoded) == b"\x89PNG\r\n"
    to_base64, to_image = kit["python_tools"]
    assert to_base64["input_schema"]["properties"]["image"]["format"] == "binary"
    assert to_image["output_schema"]["format"] == "binary"


def test_agent_uses_tools_that_are_imported(kit: dict[str, Any]) -> None:
    imported = {tool["name"] for tool in kit["tools"] + kit["python_tools"]}
    imported |= {flow["spec"]["name"] for flow in kit["flows"]}
    (agent,) = kit["agents"]

    assert agent["tools"]
    assert set(agent["tools"]) <= imported
