"""A job belongs to the caller who posted it: to every other one it does not exist."""

import json

import pytest

from functions.accept.http.routes import ROUTES
from imagejobs.callbacks import Base64Callback
from imagejobs.executions import ExecutionName, Executions
from imagejobs.job_request import EVERYONE
from imagejobs.job_store import JobStore
from tests.integration.accept.conftest import Answered, Api

UNKNOWN = "00000000-0000-4000-8000-000000000000"
UPLOAD = {"filename": "big.png", "content_type": "image/png", "size": 12}
ABOUT_A_JOB = [(route.method, route.path) for route in ROUTES if "{job_id}" in route.path]


@pytest.fixture
def job_of_one(api: Api, image_body: dict[str, str], store: JobStore) -> str:
    """A job with its result, posted with the key of one caller."""
    job_id = str(api.post("/process-image-async-b64", image_body, x_api_key="one").body["job_id"])
    store.decide(job_id, Base64Callback(status="failed", job_id=job_id, error="x").to_json())
    return job_id


def told(answered: Answered, job_id: str) -> tuple[object, ...]:
    """All that an answer tells, but for the id that was asked for and the answer's own."""
    headers = {name: value for name, value in answered.headers.items() if name != "x-correlation-id"}
    return answered.status, str(answered.body).replace(job_id, "…"), headers


@pytest.mark.parametrize("headers", [{"x_api_key": "another"}, {}], ids=["another key", "no key"])
@pytest.mark.parametrize(("method", "path"), ABOUT_A_JOB)
def test_another_callers_job_is_answered_like_one_that_is_not_there(
    api: Api, job_of_one: str, store: JobStore, method: str, path: str, headers: dict[str, str]
) -> None:
    before = sorted(store.bucket.keys(""))
    anothers = api(method, path.format(job_id=job_of_one), **headers)
    unknown = api(method, path.format(job_id=UNKNOWN), **headers)

    assert anothers.status == 404
    assert told(anothers, job_of_one) == told(unknown, UNKNOWN)
    assert sorted(store.bucket.keys("")) == before


def test_another_callers_job_costs_the_same_calls_as_one_that_is_not_there(api: Api, job_of_one: str) -> None:
    asked: list[str] = []
    client = api.resources.jobs.bucket.client
    client.meta.events.register("before-call.s3", lambda model, **_: asked.append(model.name))

    for job_id in (job_of_one, UNKNOWN):
        api("GET", f"/jobs/{job_id}", x_api_key="another")

    assert asked == ["GetObject"] * 4  # for each the request, and what stays known of an erased job


def test_the_caller_reads_cancels_and_redelivers(
    api: Api, job_of_one: str, image_body: dict[str, str], executions: Executions
) -> None:
    assert api("GET", f"/jobs/{job_of_one}", x_api_key="one").status == 200
    executions.stop(ExecutionName(job_of_one), error="over", cause="")
    assert api("POST", f"/jobs/{job_of_one}/redeliver", x_api_key="one").status == 202
    other = api.post("/process-image-async-b64", image_body, x_api_key="one").body["job_id"]
    assert api("DELETE", f"/jobs/{other}", x_api_key="one").status == 202


@pytest.mark.parametrize("headers", [{}, {"x_api_key": "one"}], ids=["no key", "a key"])
def test_a_job_of_everyone_is_everyones(
    api: Api, image_body: dict[str, str], store: JobStore, headers: dict[str, str]
) -> None:
    job_id = api.post("/process-image-async", image_body, x_workshop_token="shared").body["job_id"]

    assert store.get_request(job_id).caller == EVERYONE
    assert api("GET", f"/jobs/{job_id}", **headers).status == 200


def test_a_job_that_an_earlier_version_recorded_is_everyones(api: Api, job_id: str, store: JobStore) -> None:
    recorded = store.get_request(job_id).model_dump(mode="json", exclude_none=True, exclude={"caller"})
    key = store.key(UNKNOWN, "request.json")
    store.bucket.put(key, json.dumps(recorded | {"job_id": UNKNOWN, "fingerprint": "f"}).encode(), "application/json")

    assert api("GET", f"/jobs/{UNKNOWN}", x_api_key="one").status == 200


def test_an_upload_serves_its_caller_alone(api: Api, store: JobStore) -> None:
    image_key = api("POST", "/uploads", UPLOAD, x_api_key="one").body["image_key"]
    store.bucket.put(image_key, b"x" * 12, "image/png")
    body = {"prompt": "p", "image_key": image_key}
    missing = {"prompt": "p", "image_key": image_key[:-12] + "0" * 12}

    anothers = api.post("/process-image-async", body, x_api_key="another")
    assert anothers.status == 422
    assert anothers.body == api.post("/process-image-async", missing, x_api_key="another").body
    assert api.post("/process-image-async", body, x_api_key="one").status == 202


def test_another_callers_upload_is_refused_before_anything_is_looked_up(api: Api, store: JobStore) -> None:
    image_key = api("POST", "/uploads", UPLOAD, x_api_key="one").body["image_key"]
    api.post("/process-image-async", {"prompt": "p", "image_key": "x"}, x_api_key="another")
    asked: list[str] = []
    client = api.resources.jobs.bucket.client
    client.meta.events.register("before-call.s3", lambda model, **_: asked.append(model.name))

    assert api.post("/process-image-async", {"prompt": "p", "image_key": image_key}, x_api_key="another").status == 422
    assert asked == []


def test_an_uploads_key_tells_nothing_of_its_caller_but_which_are_the_same_ones(api: Api) -> None:
    def folder(key: str) -> str:
        upload = api("POST", "/uploads", UPLOAD, x_api_key=key).body
        assert upload["fields"]["key"] == upload["image_key"]
        return str(upload["image_key"].rpartition("/")[0])

    assert folder("one") == folder("one") != folder("another")
    assert "one" not in folder("one")
