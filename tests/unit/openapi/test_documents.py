import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV30SpecValidator, validate

from functions.accept.http.edit_body import MAX_PROMPT_CHARACTERS
from functions.accept.http.openapi import agent_document, full_document, wxo_document
from functions.accept.http.routes import ROUTES
from functions.accept.settings import AccessControl
from imagejobs import __version__

ROOT = Path(__file__).parents[3]
URL = "https://abc123.execute-api.eu-central-1.amazonaws.com/v1"


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["operationId"]: one for item in document["paths"].values() for one in item.values()}


def keywords(part: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(part, dict):
        for name, value in part.items():
            yield name, value
            yield from keywords(value)
    elif isinstance(part, list):
        for one in part:
            yield from keywords(one)


@pytest.mark.parametrize("access", AccessControl)
def test_every_document_is_valid_openapi_3_0(access: AccessControl) -> None:
    for make in (full_document, wxo_document, agent_document):
        document = make(ROUTES, URL, access=access)
        assert document["openapi"] == "3.0.3"
        validate(json.loads(json.dumps(document)), cls=OpenAPIV30SpecValidator)


def test_nothing_of_json_schema_that_3_0_does_not_know() -> None:
    for document in (
        full_document(ROUTES, URL, access=AccessControl.API_KEY),
        wxo_document(ROUTES, URL, access=AccessControl.API_KEY),
        agent_document(ROUTES, URL, access=AccessControl.API_KEY),
    ):
        for name, value in keywords(document):
            assert name not in {"const", "$defs", "examples", "prefixItems"}, name
            assert not (name == "type" and isinstance(value, list))
            assert not (name == "type" and value == "null")
            assert not (name == "default" and value is None)


def test_wxo_gets_the_three_operations_and_one_server() -> None:
    document = wxo_document(ROUTES, URL, access=AccessControl.OPEN)

    assert document["servers"] == [{"url": URL}]
    assert {path: list(item) for path, item in document["paths"].items()} == {
        "/process-image-async-b64": ["post"],
        "/process-image-async": ["post"],
        "/batch-process-images": ["post"],
    }
    assert list(operations(document)) == ["processImageAsyncToBase64", "processImageAsyncToCos", "batchProcessImages"]
    assert "components" not in document
    assert "security" not in document


def test_wxo_operations_are_as_the_importer_wants_them() -> None:
    for operation in operations(wxo_document(ROUTES, URL, access=AccessControl.OPEN)).values():
        (parameter,) = operation["parameters"]
        assert (parameter["in"], parameter["name"], parameter["required"]) == ("header", "callbackUrl", True)
        assert list(operation["responses"]) == ["202"]
        callback = operation["callbacks"]["result"]["{$request.header.callbackUrl}"]["post"]
        assert set(callback["responses"]) == {"200", "202"}
        assert operation["x-ibm-operation"] == {"action": "create"}
        assert len(operation["description"]) > 200
        assert "\n" not in operation["description"]


def test_wxo_needs_no_reference_resolved() -> None:
    for make in (wxo_document, agent_document):
        assert "$ref" not in dict(keywords(make(ROUTES, URL, access=AccessControl.API_KEY)))


def test_api_key_is_asked_for_when_the_stack_does() -> None:
    for document in (
        wxo_document(ROUTES, URL, access=AccessControl.API_KEY),
        full_document(ROUTES, URL, access=AccessControl.API_KEY),
    ):
        assert document["security"] == [{"apiKey": []}]
        scheme = document["components"]["securitySchemes"]["apiKey"]
        assert (scheme["type"], scheme["in"], scheme["name"]) == ("apiKey", "header", "x-api-key")


def test_a_bearer_token_is_asked_for_when_the_stack_does() -> None:
    for document in (
        wxo_document(ROUTES, URL, access=AccessControl.JWT),
        full_document(ROUTES, URL, access=AccessControl.JWT),
    ):
        assert document["security"] == [{"bearer": []}]
        scheme = document["components"]["securitySchemes"]["bearer"]
        assert (scheme["type"], scheme["scheme"], scheme["bearerFormat"]) == ("http", "bearer", "JWT")


def test_an_open_stack_asks_for_nothing() -> None:
    for document in (
        wxo_document(ROUTES, URL, access=AccessControl.OPEN),
        full_document(ROUTES, URL, access=AccessControl.OPEN),
    ):
        assert "security" not in document
        assert "securitySchemes" not in document.get("components", {})


@pytest.mark.parametrize(("access", "refusals"), [("api-key", {"403"}), ("jwt", {"401", "403"}), ("open", set())])
def test_refusals_are_told_of_every_route_that_is_not_open(access: str, refusals: set[str]) -> None:
    document = full_document(ROUTES, URL, access=AccessControl(access))
    for operation in operations(document).values():
        told = {"403", *refusals} & set(operation["responses"])
        assert told == (set() if operation.get("security") == [] else refusals)


def test_every_operation_tells_of_api_gateways_own_refusals() -> None:
    for operation in operations(full_document(ROUTES, URL, access=AccessControl.API_KEY)).values():
        assert {"429", "503"} <= set(operation["responses"])


def test_health_and_documents_stay_open() -> None:
    document = full_document(ROUTES, URL, access=AccessControl.API_KEY)
    opened = {path for path, item in document["paths"].items() if item.get("get", {}).get("security") == []}

    assert opened == {"/", "/health", "/docs", "/console", "/openapi.json"}


def test_every_document_has_the_version_of_the_package() -> None:
    package = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]

    assert package == __version__
    for document in (
        full_document(ROUTES, URL, access=AccessControl.OPEN),
        wxo_document(ROUTES, URL, access=AccessControl.OPEN),
    ):
        assert document["info"]["version"] == __version__


def test_headers_are_the_ones_that_the_requests_models_read() -> None:
    document = full_document(ROUTES, URL, access=AccessControl.OPEN)
    parameters = operations(document)["processImageAsyncToCos"]["parameters"]

    assert [(one["in"], one["name"], one["required"]) for one in parameters] == [
        ("header", "x-correlation-id", False),
        ("header", "x-workshop-token", False),
        ("header", "Prefer", False),
        ("header", "callbackUrl", False),
        ("header", "Idempotency-Key", False),
    ]
    assert parameters[4]["schema"] == {"type": "string", "pattern": r"^[\x21-\x7e]{1,255}$"}


def test_every_operation_is_described_for_an_agent() -> None:
    for name, operation in operations(full_document(ROUTES, URL, access=AccessControl.OPEN)).items():
        assert len(operation["description"]) > 50, name
        assert "\n" not in operation["description"], name


def test_every_route_is_documented() -> None:
    assert {
        (method, path)
        for path, item in full_document(ROUTES, URL, access=AccessControl.OPEN)["paths"].items()
        for method in item
    } == {
        ("post", "/process-image-async-b64"),
        ("post", "/process-image-async"),
        ("post", "/batch-process-images"),
        ("get", "/"),
        ("get", "/health"),
        ("post", "/health"),
        ("get", "/cos/config"),
        ("get", "/models"),
        ("post", "/uploads"),
        ("get", "/jobs"),
        ("get", "/jobs/{job_id}"),
        ("get", "/jobs/{job_id}/images"),
        ("delete", "/jobs/{job_id}"),
        ("delete", "/jobs/{job_id}/data"),
        ("post", "/jobs/{job_id}/redeliver"),
        ("post", "/jobs/{job_id}/retry"),
        ("get", "/health/deep"),
        ("get", "/openapi.json"),
        ("get", "/docs"),
        ("get", "/console"),
        ("get", "/models"),
    }


def test_constraints_reach_the_document() -> None:
    schemas = full_document(ROUTES, URL, access=AccessControl.OPEN)["components"]["schemas"]

    assert schemas["Prompt"]["maxLength"] == MAX_PROMPT_CHARACTERS
    assert schemas["BatchRequest"]["properties"]["max_files"]["minimum"] == 1
    assert schemas["BatchRequest"]["properties"]["output_prefix"]["pattern"].startswith("^([A-Za-z0-9_-]")
    assert schemas["Accepted"]["required"] == ["accepted", "job_id"]
    assert schemas["Accepted"]["properties"]["accepted"]["enum"] == [True]
    assert "finished_at" not in schemas["Job"]["required"]
