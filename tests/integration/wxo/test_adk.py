"""What wxo/ holds, as IBM's own development kit reads it, offline."""

import json
import re
from typing import Any

import pytest

from functions.accept.http.upload_bodies import UPLOAD_TYPES
from tests.support.adk import URL


def named(kit: dict[str, Any], *parts: str) -> dict[str, dict[str, Any]]:
    """The tools of these parts, by name: of the documents `three` and `agent`, of `python_tools`."""
    lists = {"three": kit["documents"][0], "agent": kit["documents"][1], "python_tools": kit["python_tools"]}
    return {tool["name"]: tool for part in parts for tool in lists[part]}


def fields(schema: Any) -> set[str]:
    """The names of all properties in a schema, however deep."""
    if isinstance(schema, list):
        return {name for one in schema for name in fields(one)}
    if not isinstance(schema, dict):
        return set()
    return {*schema.get("properties", {}), *(name for one in schema.values() for name in fields(one))}


def test_importer_makes_three_asynchronous_tools(kit: dict[str, Any]) -> None:
    tools = named(kit, "three")

    assert list(tools) == ["processImageAsyncToBase64", "processImageAsyncToCos", "batchProcessImages"]
    for tool in tools.values():
        assert tool["is_async"] is True
        assert tool["permission"] == "read_write"
        assert tool["binding"]["openapi"]["servers"] == [URL]
        assert tool["binding"]["openapi"]["security"] == [{"type": "apiKey", "in": "header", "name": "x-api-key"}]


def test_importer_keeps_the_callback_url_from_the_agent(kit: dict[str, Any]) -> None:
    for tool in kit["documents"][0]:
        assert list(tool["input_schema"]["properties"]) == ["__requestBody__"]
        assert "callbackurl" not in json.dumps(tool["input_schema"]).lower()


def test_importer_fills_acknowledgement_and_callback(kit: dict[str, Any]) -> None:
    for tool in kit["documents"][0]:
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
    payload = named(kit, "three")[name]["output_schema"]["properties"]["__requestBody__"]

    assert payload["additionalProperties"] is False
    assert set(payload["required"]) == required
    assert payload["properties"]["status"]["enum"]


def test_importer_makes_tools_that_an_agent_chooses_by_itself(kit: dict[str, Any]) -> None:
    tools = named(kit, "agent")

    assert {name: (tool["is_async"], tool["permission"]) for name, tool in tools.items()} == {
        "editImage": (True, "read_write"),
        "retryJob": (True, "read_write"),
        "getJob": (False, "read_only"),
        "listJobs": (False, "read_only"),
        "cancelJob": (False, "read_write"),
    }
    for name in ("getJob", "cancelJob", "retryJob"):
        assert list(tools[name]["input_schema"]["properties"]) == ["path_job_id"]
        assert tools[name]["input_schema"]["properties"]["path_job_id"]["description"]
    assert set(tools["listJobs"]["input_schema"]["properties"]) == {
        *("query_limit", "query_cursor", "query_status", "query_operation")
    }
    assert tools["listJobs"]["input_schema"]["required"] == []
    assert {"status", "progress", "result", "usage", "error"} <= set(tools["getJob"]["output_schema"]["properties"])
    for tool in tools.values():
        assert tool["binding"]["openapi"]["servers"] == [URL]
        assert tool["binding"]["openapi"]["security"] == [{"type": "apiKey", "in": "header", "name": "x-api-key"}]


def test_no_tool_of_the_agent_asks_its_model_for_base64(kit: dict[str, Any]) -> None:
    (agent,) = kit["agents"]
    tools = named(kit, "three", "agent", "python_tools")
    given = {name: tools[name] for name in agent["tools"] if name in tools}

    assert len(given) == 8
    for name, tool in given.items():
        asked = fields(tool["input_schema"])
        assert asked, name
        assert not [field for field in asked if "base64" in field], name
        assert not [text for text in [tool["description"], *texts(tool["input_schema"])] if "base64" in text], name
    # Those that do are there for flows and for agents of before.
    assert "image_base64" in fields(tools["processImageAsyncToBase64"]["input_schema"])


def texts(schema: Any) -> list[str]:
    """Every description in a schema."""
    if isinstance(schema, list):
        return [text for one in schema for text in texts(one)]
    if not isinstance(schema, dict):
        return []
    own = [schema["description"]] if isinstance(schema.get("description"), str) else []
    return [*own, *(text for one in schema.values() for text in texts(one))]


RULES = {
    "says what it does": r"^[A-Z][a-z]+s ",
    "says when to use it": r"Use it (when|in|to) ",
    "says when not": r"Do not use it ",
    "says what it costs": r"\bcosts?\b",
    "says what comes back": r"[Gg]ives? back ",
    "has an example": r"Example: .+\.('|)$",
}


@pytest.mark.parametrize("rule", RULES)
def test_a_model_chooses_well_by_every_description(kit: dict[str, Any], rule: str) -> None:
    described = {name: tool["description"] for name, tool in named(kit, "three", "agent", "python_tools").items()}
    described |= {flow["spec"]["name"]: flow["spec"]["description"] for flow in kit["flows"]}

    assert len(described) == 15
    assert [name for name, text in described.items() if not re.search(RULES[rule], text)] == []
    assert [name for name, text in described.items() if len(text) > 1000 or "\n" in text] == []


def test_flows_call_the_tools(kit: dict[str, Any]) -> None:
    def tools_of(flow: dict[str, Any]) -> set[str]:
        return {node["spec"]["tool"] for node in flow["nodes"].values() if node["spec"]["kind"] == "tool"}

    flows = {flow["spec"]["name"]: tools_of(flow) for flow in kit["flows"]}

    assert flows == {
        "edit_folder": {"batchProcessImages"},
        "edit_image_and_show": {"upload_image", "processImageAsyncToCos", "fetch_result"},
        "edit_image_and_store": {"upload_image", "processImageAsyncToCos"},
    }


def test_flows_expect_what_their_tools_take_and_give(kit: dict[str, Any]) -> None:
    tools = named(kit, "three", "python_tools")
    seen = set()
    for flow in kit["flows"]:
        for node in flow["nodes"].values():
            if node["spec"]["kind"] != "tool":
                continue
            name = node["spec"]["tool"]
            seen.add(name)
            expected = flow["schemas"][node["spec"]["output_schema"]["$ref"].rsplit("/", 1)[1]]
            taken = flow["schemas"][node["spec"]["input_schema"]["$ref"].rsplit("/", 1)[1]]
            body = tools[name]["input_schema"]["properties"].get("__requestBody__", tools[name]["input_schema"])
            gives = tools[name]["output_schema"]
            gives = gives.get("properties", {}).get("__requestBody__", gives)
            assert set(taken["properties"]) <= set(body["properties"])
            if gives["type"] == "string":  # of a Python tool that gives a file: the node's field `value`
                gives = {"properties": {"value": gives}, "required": ["value"]}
            types = {field: of_field["type"] for field, of_field in expected["properties"].items()}
            assert types == {field: of_field["type"] for field, of_field in gives["properties"].items()}
            assert set(gives["required"]) <= set(expected["required"])
    assert seen == {"upload_image", "processImageAsyncToCos", "fetch_result", "batchProcessImages"}


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
    tools = named(kit, "python_tools")
    assert tools["image_to_base64"]["input_schema"]["properties"]["image"]["format"] == "binary"
    assert tools["base64_to_image"]["output_schema"]["format"] == "binary"


def test_python_tools_take_and_give_files_with_the_connection(kit: dict[str, Any]) -> None:
    tools = named(kit, "python_tools")

    assert tools["upload_image"]["input_schema"]["properties"]["image"]["format"] == "wxo-file"
    assert tools["fetch_result"]["output_schema"]["format"] == "binary"
    for name in ("upload_image", "fetch_result"):
        (expected,) = tools[name]["expects"]
        assert expected["app_id"] == "image_jobs"
        assert set(expected["type"]) == {"api_key_auth", "oauth2_client_creds", "key_value_creds"}


def test_the_form_takes_every_type_that_the_service_takes(kit: dict[str, Any]) -> None:
    forms = [
        flow["nodes"]["Source"]["nodes"]["Upload"]["spec"]["form"] for flow in kit["flows"] if "Source" in flow["nodes"]
    ]

    assert len(forms) == 2
    for form in forms:
        image = form["jsonSchema"]["properties"]["Image"]
        assert image["file_max_size"] == 50
        assert set(image["file_types"]) == set(kit["types"])
    assert set(kit["types"].values()) == set(UPLOAD_TYPES)


def test_agent_uses_tools_that_are_imported(kit: dict[str, Any]) -> None:
    imported = {*named(kit, "three", "agent", "python_tools"), *(flow["spec"]["name"] for flow in kit["flows"])}
    (agent,) = kit["agents"]

    assert agent["tools"]
    assert set(agent["tools"]) <= imported
    assert {guideline["tool"] for guideline in agent["guidelines"]} <= set(agent["tools"])


def test_agent_has_the_style_and_the_greeting_that_the_kit_wants(kit: dict[str, Any]) -> None:
    (agent,) = kit["agents"]

    assert kit["said"] == []
    # The kit sends react_core under this name.
    assert agent["style"] == "react_intrinsic"
    assert agent["welcome_content"]["is_default_message"] is False
    assert agent["starter_prompts"]["is_default_prompts"] is False
    assert 2 <= len(agent["starter_prompts"]["prompts"]) <= 4
    assert "dry_run" in agent["guidelines"][0]["action"]
