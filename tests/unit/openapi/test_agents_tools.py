"""The bodies of the tools that agents see."""

from functions.accept.http.openapi import wxo_document
from functions.accept.http.routes import ROUTES
from functions.accept.settings import AccessControl
from tests.unit.openapi.test_documents import URL, operations


def test_agents_are_offered_only_what_they_can_use_well() -> None:
    document = wxo_document(ROUTES, URL, access=AccessControl.OPEN)
    offered = {
        name: set(operation["requestBody"]["content"]["application/json"]["schema"]["properties"])
        for name, operation in operations(document).items()
    }
    common = {"prompt", "size", "output_format", "background"}
    image = common | {"filename", "image_base64", "image_key", "image_url"}

    assert offered == {
        "processImageAsyncToBase64": image,
        "processImageAsyncToCos": image,
        "batchProcessImages": common | {"prefix", "max_files", "output_prefix"},
    }


def test_request_bodies_keep_what_existing_agents_send() -> None:
    for name in ("processImageAsyncToBase64", "processImageAsyncToCos"):
        body = operations(wxo_document(ROUTES, URL, access=AccessControl.OPEN))[name]["requestBody"]
        schema = body["content"]["application/json"]["schema"]
        assert schema["required"] == ["prompt"]
        assert {field: schema["properties"][field]["type"] for field in ("prompt", "filename", "image_base64")} == {
            "prompt": "string",
            "filename": "string",
            "image_base64": "string",
        }
