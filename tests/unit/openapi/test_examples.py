import json
from typing import Any

import pytest

from functions.accept.http.openapi import full_document
from functions.accept.http.route import Route
from functions.accept.http.routes import ROUTES
from functions.accept.settings import AcceptSettings, AccessControl


@pytest.mark.parametrize("route", [route for route in ROUTES if route.bodies], ids=lambda route: route.operation_id)
def test_every_body_has_an_example_that_is_taken_as_it_stands(route: Route[Any]) -> None:
    document = full_document(ROUTES, "https://api.example", access=AccessControl.OPEN)
    example = document["paths"][route.path][route.method.lower()]["requestBody"]["content"]["application/json"][
        "example"
    ]

    # Of several forms of a body, the first.
    route.bodies[0].model_validate_json(json.dumps(example), context=AcceptSettings())
