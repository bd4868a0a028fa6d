"""The document of the tools for agents, held to what Amazon Bedrock AgentCore Gateway supports.

Its limits are those of "OpenAPI schema targets" in the developer guide, and of Bedrock's ToolSpecification.
"""

import json
import re
from pathlib import Path
from typing import Any

import botocore.session
import jsonschema
import pytest
from botocore.validate import ParamValidator
from openapi_spec_validator import OpenAPIV30SpecValidator, validate

from functions.accept.http.routes import ROUTES
from functions.accept.mcp.gateway import gateway_document
from functions.accept.mcp.schemas import answer_schema, arguments_of, object_schema, plain
from functions.accept.mcp.tools import TOOLS, Tool
from tests.unit.openapi.test_documents import URL, keywords, operations

DOCUMENT: dict[str, Any] = json.loads(json.dumps(gateway_document(ROUTES, URL)))
# The Gateway puts the target's name before a tool's, with three underscores between: together 64 characters.
LONGEST_NAME = 40


def test_it_is_valid_openapi_3_0() -> None:
    assert DOCUMENT["openapi"] == "3.0.3"
    validate(DOCUMENT, cls=OpenAPIV30SpecValidator)


def test_it_names_one_server_by_a_static_address() -> None:
    assert DOCUMENT["servers"] == [{"url": URL}]
    assert "{proxy+}" not in json.dumps(DOCUMENT)


def test_it_has_nothing_that_the_gateway_does_not_support() -> None:
    unsupported = {"oneOf", "anyOf", "allOf", "not", "callbacks", "links", "security", "securitySchemes", "$ref"}
    unsupported |= {"style", "explode", "const", "examples"}

    assert not unsupported & {name for name, _ in keywords(DOCUMENT)}
    assert {media for name, value in keywords(DOCUMENT) if name == "content" for media in value} == {"application/json"}


def test_every_operation_is_a_tool_that_bedrock_takes() -> None:
    assert set(operations(DOCUMENT)) == {tool.name for tool in TOOLS}
    for name, operation in operations(DOCUMENT).items():
        assert re.fullmatch("[a-z_]+", name)
        assert len(name) <= LONGEST_NAME
        for parameter in operation["parameters"]:
            assert parameter["in"] in ("path", "query", "header")
            assert parameter["schema"]["type"] in ("string", "integer", "number", "boolean")
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        for field in [*body.get("schema", {}).get("properties", {}), *(one["name"] for one in operation["parameters"])]:
            assert re.fullmatch("[a-zA-Z0-9_.-]{1,64}", field)


def test_a_call_without_a_receiver_always_says_so() -> None:
    for name in ("edit_image", "edit_folder", "retry_failed"):
        key, header = [one for one in operations(DOCUMENT)[name]["parameters"] if one["in"] == "header"]
        assert (header["name"], header["required"], len(header["schema"]["enum"])) == ("Prefer", True, 1)
        # By which the agent may repeat it.
        assert (key["name"], key["required"], key["schema"]["type"]) == ("Idempotency-Key", False, "string")


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_every_example_is_one_that_the_tool_takes(tool: Tool) -> None:
    schema = object_schema(arguments_of(tool, ROUTES))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator.check_schema(answer_schema(tool, ROUTES))
    jsonschema.validate(dict(tool.example), schema, cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_a_description_says_what_when_when_not_the_cost_and_the_answer(tool: Tool) -> None:
    assert re.match(r"[A-Z][a-z]+s ", tool.description)
    for told in (r"Use it ", r"Not ", r"paid|free", r"Answers "):
        assert re.search(told, tool.description), told
    assert len(tool.description) < 800
    assert "\n" not in tool.description


def test_no_tool_asks_a_model_for_base64_or_speaks_of_routes() -> None:
    for tool in TOOLS:
        told = object_schema(arguments_of(tool, ROUTES))["properties"]
        assert not [name for name in told if "base64" in name]
        assert not re.search("(GET|POST|DELETE) /", json.dumps(told) + tool.description)


def test_the_page_for_agents_names_every_tool_and_aws_takes_its_target() -> None:
    page = (Path(__file__).parents[3] / "docs" / "agents.md").read_text()
    blocks = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", page, re.DOTALL)]
    (target,) = [block for block in blocks if "targetConfiguration" in block]
    service = botocore.session.get_session().get_service_model("bedrock-agentcore-control")

    assert re.findall(r"^\| `([a-z_]+)` \|", page, re.MULTILINE) == [tool.name for tool in TOOLS]
    wanted = service.operation_model("CreateGatewayTarget").input_shape
    assert wanted
    report = ParamValidator().validate(target, wanted)
    assert not report.has_errors(), report.generate_report()


def test_a_union_becomes_one_schema_that_takes_what_its_members_do() -> None:
    cat = {"type": "object", "properties": {"kind": {"enum": ["cat"], "type": "string"}}, "required": ["kind"]}
    dog = {"type": "object", "properties": {"kind": {"enum": ["dog"], "type": "string"}, "age": {"type": "integer"}}}

    assert plain({"anyOf": [cat, dog], "description": "a pet"}) == {
        "type": "object",
        "properties": {"kind": {"enum": ["cat", "dog"], "type": "string"}, "age": {"type": "integer"}},
        "required": [],
        "description": "a pet",
    }
    assert plain({"anyOf": [{"type": "string"}, {"type": "integer"}]}) == {}
