"""Batches over HTTP alone: folders of uploads in the input bucket."""

import json
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest

from functions.accept.jobs import erase
from imagejobs.executions import ExecutionName, Executions
from imagejobs.job_store import Delivery, JobStore
from imagejobs.upload_folders import folder_prefix
from tests.integration.accept.conftest import Api
from tests.integration.conftest import SECRETS

BATCH = "/batch-process-images"
FILES = [{"filename": "cat.png", "size": 4}, {"filename": "sub/\N{LATIN SMALL LETTER E WITH ACUTE}.unknown", "size": 5}]


def prepare(api: Api, **headers: str) -> dict[str, Any]:
    answered = api("POST", "/uploads", {"files": FILES}, **headers)
    assert answered.status == 201, answered.body
    body: dict[str, Any] = answered.body
    return body


def test_each_file_gets_a_form_for_its_exact_size(api: Api) -> None:
    made = prepare(api)

    first, second = made["uploads"]
    assert (first["filename"], first["method"], first["fields"]["Content-Type"]) == ("cat.png", "POST", "image/png")
    assert second["fields"]["Content-Type"] == "application/octet-stream"
    assert second["fields"]["key"] == folder_prefix("everyone", made["folder"]) + str(FILES[1]["filename"])
    assert "input" in first["url"]
    more = api("POST", "/uploads", {"files": [{"filename": "dog.png", "size": 1}], "folder": made["folder"]}).body
    assert more["folder"] == made["folder"]


def test_cos_takes_a_put_of_the_exact_size(stack: dict[str, str]) -> None:
    boto3.client("secretsmanager").update_secret(
        SecretId=stack["SECRET_ARN"],
        SecretString='{"COS_ACCESS_KEY_ID": "a", "COS_SECRET_ACCESS_KEY": "b"}',
    )
    made = prepare(Api(stack | {"COS_ENDPOINT": "https://cos.example"}))

    (first, _) = made["uploads"]
    assert (first["method"], first["fields"]) == ("PUT", {})
    url = urlsplit(first["url"])
    assert (url.netloc, url.path) == ("cos.example", f"/input/{folder_prefix('everyone', made['folder'])}cat.png")
    assert "content-length" in parse_qs(url.query)["X-Amz-SignedHeaders"][0]


def test_a_batch_names_its_folder(api: Api, store: JobStore) -> None:
    folder = prepare(api, x_api_key="alice")["folder"]
    empty = api.post(BATCH, {"prompt": "p", "folder": folder}, x_api_key="alice")
    assert (empty.status, empty.body["detail"][0]["loc"]) == (422, ["body", "folder"])

    key = f"{folder_prefix('key:id-of-alice', folder)}cat.png"
    boto3.client("s3").put_object(Bucket="input", Key=key, Body=b"x")
    job_id = api.post(BATCH, {"prompt": "p", "folder": folder}, x_api_key="alice").body["job_id"]
    assert store.get_request(job_id).folder == folder
    keyed = {"x_api_key": "alice", "Idempotency_Key": "order-1"}
    first = api.post(BATCH, {"prompt": "p", "folder": folder}, **keyed)
    api.resources.inputs.delete_all([key])
    assert api.post(BATCH, {"prompt": "p", "folder": folder}, **keyed).body == first.body
    # To everyone else the folder does not exist.
    assert api.post(BATCH, {"prompt": "p", "folder": folder}, x_api_key="bob").status == 422
    # A retry reads what the report names, which lies in the folder.
    store.decide(job_id, b'{"status": "completed_with_errors", "failed": 1}')
    retry = api("POST", f"/jobs/{job_id}/retry", x_api_key="alice").body["job_id"]
    assert store.get_request(retry).folder == folder


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ({"files": []}, ["body", "files"]),
        ({"files": [{"filename": f"{n}", "size": 1} for n in range(101)]}, ["body", "files"]),
        ({"files": [{"filename": "a", "size": 0}]}, ["body", "files", 0, "size"]),
        ({"files": [{"filename": "a", "size": 1}] * 2}, ["body"]),
        ({"files": [{"filename": "a", "size": 1}], "folder": "../x"}, ["body", "folder"]),
        *(
            ({"files": [{"filename": name, "size": 1}]}, ["body", "files", 0, "filename"])
            for name in ("", "/a", "a/", "a//b", "..", "a/../b", "./a", "a\nb", "\N{GRINNING FACE}" * 201)
        ),
        # The form for one image is as it was.
        ({"filename": "a.png", "content_type": "image/png"}, ["body", "size"]),
        ([], ["body"]),
    ],
)
def test_what_is_wrong_is_told_where_it_is(api: Api, body: object, loc: list[object]) -> None:
    answered = api("POST", "/uploads", body)

    assert (answered.status, answered.body["detail"][0]["loc"]) == (422, loc)


@pytest.mark.parametrize("nothing", [None, ""])
def test_files_that_are_absent_leave_the_form_for_one_image(api: Api, nothing: object) -> None:
    """Agents fill in every field of a tool, and what they have nothing for with an empty string or null."""
    one = {"filename": "a.png", "content_type": "image/png", "size": 5, "files": nothing, "folder": nothing}

    assert "image_key" in api("POST", "/uploads", one).body


def test_a_name_that_a_form_of_s3_would_replace_is_refused(api: Api, stack: dict[str, str]) -> None:
    wanted = {"files": [{"filename": f"{name}.png", "size": 1} for name in ("a", "${filename}", "$b")]}

    answered = api("POST", "/uploads", wanted)

    (problem,) = answered.body["detail"]
    assert (answered.status, problem["loc"]) == (422, ["body", "files", 1, "filename"])
    assert problem["msg"].startswith("expected a name without ${")
    # IBM COS takes files by PUT, and replaces nothing.
    cos = stack | {"COS_ENDPOINT": "https://cos.example"}
    boto3.client("secretsmanager").put_secret_value(
        SecretId="secrets",
        SecretString=json.dumps(SECRETS | {"COS_ACCESS_KEY_ID": "a", "COS_SECRET_ACCESS_KEY": "b"}),
    )
    assert Api(cos)("POST", "/uploads", wanted).status == 201


def test_prefix_or_folder(api: Api) -> None:
    both = {"prompt": "p", "prefix": "a", "folder": "0b6f2c1e-0000-4000-8000-000000000001"}

    assert api.post(BATCH, both).status == 422


def test_a_folder_of_uploads_goes_with_its_batch_and_not_with_a_retry_of_it(
    api: Api, store: JobStore, executions: Executions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erase, "WIND_DOWN", timedelta(0))  # moto's executions never end by themselves
    folder = api("POST", "/uploads", {"files": [{"filename": "anna.png", "size": 1}]}).body["folder"]
    key = f"{folder_prefix('everyone', folder)}anna.png"
    boto3.client("s3").put_object(Bucket="input", Key=key, Body=b"x")
    job_id = api.post("/batch-process-images", {"prompt": "p", "folder": folder}).body["job_id"]
    ended = b'{"status": "completed_with_errors", "failed": 1, "output_prefix": "x"}'
    store.decide(job_id, ended)
    retry = api("POST", f"/jobs/{job_id}/retry").body["job_id"]
    store.decide(retry, ended)
    for one in (job_id, retry):
        executions.stop(ExecutionName(one), error="over", cause="")
        store.put_delivery(one, Delivery(status="delivered"))

    assert api("DELETE", f"/jobs/{retry}/data").status == 204
    assert list(api.resources.inputs.keys("")) == [(key, 1)]
    assert api("DELETE", f"/jobs/{job_id}/data").status == 204
    assert list(api.resources.inputs.keys("")) == []
    known = store.find_erasure(job_id)
    assert known
    assert known.inputs is None
