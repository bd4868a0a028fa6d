"""Generated requests, valid and invalid, to every operation of the published document: no 5xx, no undeclared answer."""

import base64
from collections import Counter
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from functions.accept.http.routes import ROUTES
from tests.support.pictures import picture
from tests.support.waiting import PATIENCE

CHECKED: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
# How many cases of each kind, valid by the document and not. An operation that takes nothing has a single case.
CASES = {
    "POST /process-image-async-b64": (110, 110),
    "POST /process-image-async": (110, 110),
    "POST /batch-process-images": (110, 110),
    "POST /uploads": (60, 60),
    # Nothing of these requests can be invalid.
    "GET /cos/config": (20, 0),
    "GET /models": (2, 0),
    "GET /jobs": (20, 20),
    "GET /jobs/{job_id}/images": (20, 20),
    "GET /jobs/{job_id}": (40, 40),
    "DELETE /jobs/{job_id}": (40, 40),
    "DELETE /jobs/{job_id}/data": (40, 40),
    "POST /jobs/{job_id}/redeliver": (40, 40),
    "POST /jobs/{job_id}/retry": (40, 40),
    "GET /health": (5, 5),
    "POST /health": (5, 0),
    "GET /health/deep": (2, 0),
    "GET /": (1, 0),
    "GET /openapi.json": (1, 0),
    "GET /openapi-tools.json": (1, 0),
    "POST /mcp": (40, 40),
    "GET /docs": (1, 0),
    "GET /console": (1, 0),
}
# Nothing listens there: what a generated request starts by chance comes to nothing, soon.
NOWHERE = "http://127.0.0.1:9/callback"


@pytest.fixture(scope="module")
def schema(stack: Any) -> Any:
    """The document as the service itself publishes it."""
    # Not `from_url`, which leaves the document's own route out.
    published = schemathesis.openapi.from_dict(httpx2.get(f"{stack.api_url}/openapi.json", timeout=PATIENCE).json())
    published.config.update(base_url=stack.api_url, request_timeout=PATIENCE)
    return published


def test_there_are_a_thousand_cases() -> None:
    assert sum(valid + invalid for valid, invalid in CASES.values()) >= 1000


def test_every_operation_is_covered(schema: Any) -> None:
    assert {found.ok().label for found in schema.get_all_operations()} == set(CASES)


@pytest.mark.parametrize(
    ("label", "mode", "wanted"),
    [
        (label, mode, wanted)
        for label, counts in CASES.items()
        for mode, wanted in zip((GenerationMode.POSITIVE, GenerationMode.NEGATIVE), counts, strict=True)
        if wanted
    ],
)
def test_answers_are_as_documented(schema: Any, label: str, mode: GenerationMode, wanted: int) -> None:
    operation = next(found.ok() for found in schema.get_all_operations() if found.ok().label == label)
    answered: Counter[int] = Counter()

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=wanted,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def check(case: Case[Any]) -> None:
        if label.startswith("POST /process-image") and answered.total() % 2:
            # A generated callbackUrl is none that the service takes: with this one, the body decides.
            case.headers["callbackUrl"] = NOWHERE
        response = case.call(timeout=PATIENCE, allow_redirects=False)
        answered[response.status_code] += 1
        case.validate_response(response, checks=CHECKED)

    check()
    assert answered.total() >= wanted


@pytest.mark.parametrize("path", [route.path for route in ROUTES if route.callback and "{" not in route.path])
def test_answers_to_an_accepted_job_are_as_documented(schema: Any, path: str) -> None:
    # An empty folder, in the case of a batch.
    body = {"prompt": "a red sky"} | (
        {"prefix": "nothing-here"}
        if path.startswith("/batch")
        else {"image_base64": base64.b64encode(picture()).decode()}
    )
    posted = schema[path]["POST"].Case(body=body, headers={"callbackUrl": NOWHERE}, media_type="application/json")
    answer = posted.call_and_validate(checks=CHECKED)
    assert answer.status_code == 202

    job = {"job_id": answer.json()["job_id"]}
    seen = schema["/jobs/{job_id}"]["GET"].Case(path_parameters=job).call_and_validate(checks=CHECKED)
    assert seen.status_code == 200
    cancelled = schema["/jobs/{job_id}"]["DELETE"].Case(path_parameters=job).call_and_validate(checks=CHECKED)
    assert cancelled.status_code in (202, 409)
    seen = schema["/jobs/{job_id}"]["GET"].Case(path_parameters=job).call_and_validate(checks=CHECKED)
    assert seen.status_code == 200
