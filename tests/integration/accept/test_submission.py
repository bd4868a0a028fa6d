"""Posting jobs: what is recorded, what is started, what is refused before either."""

import base64
import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ReadTimeoutError

from imagejobs.executions import ExecutionName, Executions
from imagejobs.job_store import JobStore
from tests.integration.accept.conftest import CALLBACK_URL, Api
from tests.integration.conftest import SECRETS
from tests.support.pictures import picture

BASE64_ROUTE = "/process-image-async-b64"
URL_ROUTE = "/process-image-async"
BATCH_ROUTE = "/batch-process-images"


def test_accepted_job_is_recorded_and_started(
    api: Api, image_body: dict[str, str], store: JobStore, executions: Executions
) -> None:
    answered = api.post(BASE64_ROUTE, image_body)

    assert answered.status == 202
    job_id = answered.body["job_id"]
    assert answered.body == {"accepted": True, "job_id": job_id}
    assert answered.headers["Location"] == f"https://api.example/v1/jobs/{job_id}"
    request = store.get_request(job_id)
    assert (request.operation, request.prompt, request.filename) == ("base64", "make it blue", "cat.png")
    assert request.callback_url == CALLBACK_URL
    posted = store.bucket.get(store.key(job_id, "input"))
    assert posted.body == picture()
    assert posted.content_type == "image/png"
    execution = executions.find(ExecutionName(job_id))
    assert execution is not None
    assert json.loads(execution["input"]) == {"job_id": job_id, "operation": "base64"}


@pytest.mark.parametrize(("route", "operation"), [(URL_ROUTE, "url"), (BATCH_ROUTE, "batch")])
def test_other_operations(
    api: Api, image_body: dict[str, str], store: JobStore, executions: Executions, route: str, operation: str
) -> None:
    body = image_body if operation == "url" else {"prompt": "make it blue"}
    job_id = api.post(route, body).body["job_id"]

    assert store.get_request(job_id).operation == operation
    execution = executions.find(ExecutionName(job_id))
    assert execution is not None
    assert json.loads(execution["input"])["operation"] == operation


def test_batch_choices_are_recorded(api: Api, store: JobStore) -> None:
    choices = {"prompt": "p", "prefix": "cats/young", "max_files": 7, "output_prefix": "run-1"}
    request = store.get_request(api.post(BATCH_ROUTE, choices).body["job_id"])

    assert (request.prefix, request.max_files, request.output_prefix) == ("cats/young", 7, "run-1")


def test_header_names_have_no_case(api: Api, image_body: dict[str, str]) -> None:
    assert api("POST", BASE64_ROUTE, image_body, CALLBACKURL=CALLBACK_URL).status == 202


# Every row of bad input: what is posted, where the answer says it is wrong.
BAD_BODIES = [
    ("not json", "{", ["body"]),
    ("no object", "[]", ["body"]),
    ("no prompt", {"image_base64": "aaaa"}, ["body", "prompt"]),
    ("empty prompt", {"prompt": "  ", "image_base64": "aaaa"}, ["body", "prompt"]),
    ("long prompt", {"prompt": "x" * 32_001, "image_base64": "aaaa"}, ["body", "prompt"]),
    ("control character", {"prompt": "a\u0000b", "image_base64": "aaaa"}, ["body", "prompt"]),
    ("prompt no string", {"prompt": 1, "image_base64": "aaaa"}, ["body", "prompt"]),
    ("no image", {"prompt": "p"}, ["body"]),
    ("two images", {"prompt": "p", "image_base64": "aaaa", "image_url": "https://e.example/a.png"}, ["body"]),
    ("no image type", {"prompt": "p", "image_base64": base64.b64encode(b"<svg/>").decode()}, ["body", "image_base64"]),
    ("long filename", {"prompt": "p", "image_base64": "aaaa", "filename": "x" * 256}, ["body", "filename"]),
    ("name with NUL", {"prompt": "p", "image_base64": "aaaa", "filename": "a\u0000.png"}, ["body", "filename"]),
    ("name in lines", {"prompt": "p", "image_base64": "aaaa", "filename": "a\r\nb.png"}, ["body", "filename"]),
    ("name with C1", {"prompt": "p", "image_base64": "aaaa", "filename": "a\u0085.png"}, ["body", "filename"]),
    ("foreign key", {"prompt": "p", "image_key": "jobs/x/input"}, ["body", "image_key"]),
    ("no upload", {"prompt": "p", "image_key": f"uploads/{'0' * 36}"}, ["body", "image_key"]),
    ("http image_url", {"prompt": "p", "image_url": "http://e.example/a.png"}, ["body", "image_url"]),
    ("private image_url", {"prompt": "p", "image_url": "https://169.254.169.254/a.png"}, ["body", "image_url"]),
]


@pytest.mark.parametrize(("body", "loc"), [row[1:] for row in BAD_BODIES], ids=[row[0] for row in BAD_BODIES])
def test_bad_body_is_refused_and_nothing_recorded(api: Api, store: JobStore, body: object, loc: list[str]) -> None:
    answered = api.post(BASE64_ROUTE, body)

    assert answered.status == 422
    assert [item["loc"] for item in answered.body["detail"]] == [loc]
    assert all(set(item) == {"loc", "msg", "type"} for item in answered.body["detail"])
    assert list(store.bucket.keys("")) == []


@pytest.mark.parametrize(
    "body",
    [
        {"prompt": "p", "prefix": "/etc"},
        {"prompt": "p", "prefix": "a\nb"},
        {"prompt": "p", "prefix": "a\u0085b"},
        {"prompt": "p", "max_files": 0},
        {"prompt": "p", "output_prefix": "a/b"},
        {"prompt": "p", "output_prefix": ".."},
        {"prompt": "p", "output_prefix": "x" * 65},
    ],
)
def test_bad_batch_choices(api: Api, body: dict[str, object]) -> None:
    answered = api.post(BATCH_ROUTE, body)

    assert answered.status == 422
    assert "pattern" not in answered.body["detail"][0]["msg"]


def test_what_is_invalid_in_headers_and_body_is_told_at_once(api: Api) -> None:
    answered = api("POST", BATCH_ROUTE, {"max_files": 0}, Idempotency_Key="a b")

    assert [item["loc"] for item in answered.body["detail"]] == [
        ["header", "callbackUrl"],
        ["header", "Idempotency-Key"],
        ["body", "prompt"],
        ["body", "max_files"],
    ]


@pytest.mark.parametrize(
    ("headers", "header"),
    [
        ({"callbackUrl": ""}, "callbackUrl"),
        ({"callbackUrl": "ftp://receiver.example/"}, "callbackUrl"),
        ({"callbackUrl": "http://receiver.example/"}, "callbackUrl"),
        ({"callbackUrl": "https://user:pass@receiver.example/"}, "callbackUrl"),
        ({"callbackUrl": "https://127.0.0.1/"}, "callbackUrl"),
        ({"callbackUrl": "https://0x7f.1/"}, "callbackUrl"),
        ({"Idempotency_Key": "a b"}, "Idempotency-Key"),
        ({"Idempotency_Key": "x" * 256}, "Idempotency-Key"),
    ],
)
def test_bad_header_is_refused(
    api: Api, image_body: dict[str, str], store: JobStore, headers: dict[str, str], header: str
) -> None:
    answered = api.post(BASE64_ROUTE, image_body, **headers)

    assert answered.status == 422
    assert answered.body["detail"][0]["loc"] == ["header", header]
    assert list(store.bucket.keys("")) == []


def test_empty_optional_headers_are_none(api: Api, image_body: dict[str, str], store: JobStore) -> None:
    empty = {"Idempotency_Key": "", "x_correlation_id": "", "x_workshop_token": ""}
    first, second = api.post(BASE64_ROUTE, image_body, **empty), api.post(BASE64_ROUTE, image_body, **empty)

    assert (first.status, second.status) == (202, 202)
    assert first.body != second.body
    assert store.get_request(first.body["job_id"]).correlation_id == first.headers["x-correlation-id"] != ""


def test_messages_are_told_without_pydantics_prefix(api: Api) -> None:
    answered = api.post(BASE64_ROUTE, {"prompt": "p", "image_url": "http://e.example/a.png"}, Idempotency_Key="a b")

    assert [item["msg"] for item in answered.body["detail"]] == [
        "expected 1 to 255 visible ASCII characters, no spaces",
        "the URL must begin with https://",
    ]


def test_image_over_the_limit(
    stack: dict[str, str],
    image_body: dict[str, str],
) -> None:
    answered = Api(stack | {"MAX_IMAGE_BASE64_CHARS": "100"}).post(BASE64_ROUTE, image_body)

    assert answered.status == 413
    assert "limit is 100" in answered.body["detail"]
    assert "/uploads" in answered.body["detail"]


def test_missing_configuration_is_all_named_before_anything_is_recorded(
    stack: dict[str, str],
    store: JobStore,
) -> None:
    boto3.client("secretsmanager").put_secret_value(
        SecretId=stack["SECRET_ARN"], SecretString=json.dumps(SECRETS | {"OPENAI_API_KEY": ""})
    )
    without_buckets = {"COS_ENDPOINT": "https://cos.example", "COS_INPUT_BUCKET": "", "COS_OUTPUT_BUCKET": ""}
    answered = Api(stack | without_buckets).post(BATCH_ROUTE, {"prompt": "p"})

    assert answered.status == 500
    for name in (
        "OPENAI_API_KEY",
        "COS_ACCESS_KEY_ID",
        "COS_SECRET_ACCESS_KEY",
        "COS_INPUT_BUCKET",
        "COS_OUTPUT_BUCKET",
    ):
        assert name in answered.body["detail"]
    assert list(store.bucket.keys("")) == []


@pytest.mark.parametrize(("model", "status"), [("gemini-3-pro-image", 500), ("local", 202)])
def test_screening_needs_openais_key_for_whatever_leaves_for_a_provider(
    stack: dict[str, str], store: JobStore, image_body: dict[str, str], model: str, status: int
) -> None:
    boto3.client("secretsmanager").put_secret_value(
        SecretId=stack["SECRET_ARN"], SecretString=json.dumps(SECRETS | {"OPENAI_API_KEY": "", "GEMINI_API_KEY": "g"})
    )
    screened = stack | {"PROMPT_SCREENING": "openai", "OPENAI_IMAGE_MODEL": model}

    answered = Api(screened).post(BASE64_ROUTE, image_body)

    assert answered.status == status
    if status == 500:
        assert "configuration missing: OPENAI_API_KEY." in answered.body["detail"]
        assert list(store.bucket.keys("")) == []
    # Without screening the engine's own key is enough.
    assert Api(screened | {"PROMPT_SCREENING": "off"}).post(BASE64_ROUTE, image_body).status == 202


def test_legacy_bucket_stands_in_for_the_output_bucket(stack: dict[str, str], image_body: dict[str, str]) -> None:
    api = Api(stack | {"COS_OUTPUT_BUCKET": "", "COS_BUCKET": "legacy"})

    assert api.post(URL_ROUTE, image_body).status == 202
    assert api("GET", "/cos/config").body["output_bucket"] == "legacy"


def test_token(image_body: dict[str, str], stack: dict[str, str]) -> None:
    boto3.client("secretsmanager").put_secret_value(
        SecretId=stack["SECRET_ARN"], SecretString=json.dumps(SECRETS | {"WORKSHOP_TOKEN": "open sesame"})
    )
    api = Api(stack)

    refused = api.post(BASE64_ROUTE, image_body)
    assert (refused.status, refused.headers["WWW-Authenticate"]) == (401, "x-workshop-token")
    assert api.post(BASE64_ROUTE, image_body, x_workshop_token="wrong").status == 401
    assert api.post(BASE64_ROUTE, image_body, x_workshop_token="open sesame").status == 202
    assert api("GET", "/cos/config").status == 401
    assert api("GET", "/health").body["workshop_token_enabled"] is True


def test_a_post_whose_execution_began_though_the_answer_was_lost_keeps_its_job(
    api: Api, store: JobStore, image_body: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    start = Executions.start

    def answers_too_late(*arguments: Any) -> bool:
        start(*arguments)
        raise ReadTimeoutError(endpoint_url="https://states.example")

    monkeypatch.setattr(Executions, "start", answers_too_late)

    assert api.post(BASE64_ROUTE, image_body).status == 503

    (running,) = api("GET", "/jobs").body["jobs"]
    assert running["status"] == "running"
    assert store.get_request(running["job_id"]).prompt == image_body["prompt"]
