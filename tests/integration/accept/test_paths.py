"""Job ids in paths that are none, some with characters for which the router itself finds no route."""

from urllib.parse import quote

import pytest

from tests.integration.accept.conftest import Api


@pytest.mark.parametrize("job_id", ["1", "not-a-uuid", "a b", "Íz", "\U0010d0b11", '"', "#"])
@pytest.mark.parametrize(("method", "rest"), [("GET", ""), ("DELETE", ""), ("POST", "/redeliver")])
def test_malformed_job_id_is_422(api: Api, method: str, rest: str, job_id: str) -> None:
    answered = api(method, f"/jobs/{job_id}{rest}")

    assert answered.status == 422, quote(job_id)
    assert answered.body["detail"][0]["loc"] == ["path", "job_id"]
    assert answered.headers["x-correlation-id"]


@pytest.mark.parametrize("method", ["", "ET", "G", "get", "GETS", "POS"])
@pytest.mark.parametrize("path", ["/health", "/jobs/1", "/uploads"])
def test_a_part_of_a_method_is_another_method(api: Api, path: str, method: str) -> None:
    assert api(method, path).status == 405


def test_wrong_method_is_405_with_those_allowed(api: Api) -> None:
    answered = api("PUT", "/jobs/1")

    assert answered.status == 405
    assert answered.headers["Allow"] == "DELETE, GET, HEAD, OPTIONS"
