"""How an image is to be edited: what a request may choose, what is refused, and what is recorded of it."""

import base64
import io
import re
from typing import Any

import boto3
import pytest
from PIL import Image

from imagejobs.edit_options import EditOptions
from imagejobs.job_store import JobStore
from tests.integration.accept.conftest import Api
from tests.integration.accept.test_retry import end
from tests.support.pictures import picture

ROUTES = ["/process-image-async-b64", "/process-image-async", "/batch-process-images"]
MODEL = "gpt-image-2.6-flare"


def mask(mode: str = "RGBA", size: tuple[int, int] = (64, 48)) -> bytes:
    """A PNG that is transparent all over, where its mode can be."""
    buffer = io.BytesIO()
    Image.new(mode, size).save(buffer, "PNG")
    return buffer.getvalue()


def encoded(body: bytes) -> str:
    return base64.b64encode(body).decode()


@pytest.fixture
def choosy(stack: dict[str, str]) -> Api:
    """A stack whose owner lets callers choose further models."""
    return Api(stack | {"ALLOWED_MODELS": "gpt-image-2, local,my-server/model"})


def body_for(route: str, image_body: dict[str, str]) -> dict[str, Any]:
    return {"prompt": "p"} if "batch" in route else dict(image_body)


@pytest.mark.parametrize("route", ROUTES)
def test_options_are_recorded_on_every_route(
    choosy: Api, image_body: dict[str, str], store: JobStore, route: str
) -> None:
    options = {
        "model": "gpt-image-2",
        "quality": "high",
        "size": "1536x1024",
        "output_format": "webp",
        "output_compression": 80.0,
        "background": "transparent",
    }
    answered = choosy.post(route, body_for(route, image_body) | options)

    assert answered.status == 202, answered.body
    assert store.get_request(answered.body["job_id"]).options == EditOptions.model_validate(options)


@pytest.mark.parametrize("route", ROUTES)
def test_empty_options_leave_the_record_as_it_was(
    api: Api, image_body: dict[str, str], store: JobStore, route: str
) -> None:
    empty = {"model": "", "quality": None, "size": "", "mask_base64": "", "mask_key": None}
    lists: dict[str, Any] = {"reference_keys": [], "reference_urls": [""], "output_compression": None}
    job_id = api.post(route, body_for(route, image_body) | empty | lists).body["job_id"]

    record = store.bucket.get(store.key(job_id, "request.json")).body.decode()
    assert store.get_request(job_id).options is None
    for name in ("options", "mask", "reference", "model", "quality"):
        assert name not in record


# What is sent beside the image, where it is refused, and what the message says beside the option and the model.
REFUSED: list[tuple[dict[str, Any], str, str]] = [
    (
        {"quality": "ultra"},
        "quality",
        f"quality: the model {MODEL} takes low or medium or high or xhigh",
    ),
    ({"size": "100x100"}, "size", f"size: the model {MODEL} takes .*multiples of 16"),
    ({"size": "wide"}, "size", "width x height"),
    ({"size": "3856x2160"}, "size", "up to 3,840"),
    ({"size": "3840x1024"}, "size", "3 times"),
    ({"output_format": "gif"}, "output_format", "'png', 'jpeg' or 'webp'"),
    ({"output_compression": 50}, "output_compression", f"the model {MODEL} takes .* output_format jpeg or webp"),
    ({"output_compression": 50, "output_format": "png"}, "output_compression", "together with output_format jpeg"),
    ({"output_compression": 101, "output_format": "jpeg"}, "output_compression", "less than or equal to 100"),
    ({"background": "transparent", "output_format": "jpeg"}, "background", "output_format png or webp"),
    ({"background": "green"}, "background", "'transparent', 'opaque' or 'auto'"),
    ({"search": "the red car"}, "search", f"search: the model {MODEL} takes no search: leave it out"),
    ({"model": "gpt-image-2"}, "model", f"model: expected one of those that GET /models lists: {MODEL}$"),
    ({"model": "local"}, "model", "GET /models"),
    ({"reference_urls": ["http://10.0.0.1/a.png"]}, "reference_urls", "https"),
    ({"reference_keys": ["k"] * 16}, "reference_keys", "at most 15"),
    ({"reference_keys": ["jobs/x/input"]}, "reference_keys", "POST /uploads answered"),
    ({"mask_key": "jobs/x/input"}, "mask_key", "POST /uploads answered"),
    ({"mask_base64": "*"}, "mask_base64", "strict base64"),
    ({"mask_base64": encoded(picture(file_format="JPEG"))}, "mask_base64", "expected a PNG with transparency"),
    ({"mask_base64": encoded(mask("RGB"))}, "mask_base64", "the PNG has no transparency"),
    ({"mask_base64": encoded(mask() + bytes(4_000_000))}, "mask_base64", "must be under 4,000,000"),
    ({"mask_base64": encoded(mask()), "mask_key": "k"}, "", "at most one of mask_base64 and mask_key"),
]


@pytest.mark.parametrize(("options", "field", "message"), REFUSED, ids=[str(row[0])[:50] for row in REFUSED])
def test_what_the_model_does_not_take_is_refused_with_what_it_takes(
    api: Api, options: dict[str, Any], field: str, message: str
) -> None:
    answered = api.post("/batch-process-images", {"prompt": "p"} | options)

    assert answered.status == 422
    (problem,) = answered.body["detail"]
    assert problem["loc"][:2] == (["body", field] if field else ["body"])
    assert re.search(message, problem["msg"]), problem["msg"]


def test_a_model_that_takes_nothing_refuses_every_option_at_once(choosy: Api) -> None:
    options = {"quality": "low", "size": "auto", "mask_base64": encoded(mask()), "reference_keys": ["k"]}
    answered = choosy.post("/batch-process-images", {"prompt": "p", "model": "local"} | options)

    assert [problem["loc"][1] for problem in answered.body["detail"]] == [
        "quality",
        "size",
        "mask_base64",
        "reference_keys",
    ]
    assert all("the model local takes no" in problem["msg"] for problem in answered.body["detail"])


def test_references_are_counted_together(api: Api) -> None:
    urls = {"reference_keys": ["k"] * 8, "reference_urls": ["https://e.example/a.png"] * 8}
    (problem,) = api.post("/batch-process-images", {"prompt": "p"} | urls).body["detail"]

    assert problem["loc"] == ["body", "reference_urls"]
    assert "takes up to 15 of them" in problem["msg"]


def upload(api: Api, store: JobStore, body: bytes) -> str:
    """Upload a file as a caller does."""
    asked = {"filename": "a.png", "content_type": "image/png", "size": len(body)}
    key = str(api("POST", "/uploads", asked).body["image_key"])
    store.bucket.put(key, body, "image/png")
    return key


def test_a_mask_and_references_are_kept_with_the_job_and_with_its_retry_and_go_with_its_data(
    api: Api, store: JobStore
) -> None:
    mask_key, reference = upload(api, store, mask()), upload(api, store, picture(8, 8))
    body = {"prompt": "p", "mask_key": mask_key, "reference_keys": [reference], "quality": "high"}
    url = "https://pictures.example/b.png"
    job_id = api.post("/batch-process-images", body | {"reference_urls": [url]}).body["job_id"]

    request = store.get_request(job_id)
    assert (request.mask, request.reference_count, request.reference_url(2)) == (True, 2, url)
    assert store.bucket.get(store.key(job_id, "mask")).body == mask()
    assert store.bucket.get(store.key(job_id, "reference-1")).body == picture(8, 8)

    store.bucket.delete_all([mask_key, reference])  # as uploads are, after a day
    end(store, job_id, "completed_with_errors", 1, 1)
    retried = store.get_request(api("POST", f"/jobs/{job_id}/retry").body["job_id"])
    assert (retried.mask, retried.reference_count, retried.options) == (True, 2, EditOptions(quality="high"))
    assert store.bucket.get(store.key(retried.job_id, "mask")).body == mask()
    assert store.bucket.get(store.key(retried.job_id, "reference-1")).body == picture(8, 8)


def test_a_posted_mask_is_kept_and_a_repeated_post_gives_the_same_job(
    api: Api, image_body: dict[str, str], store: JobStore
) -> None:
    reference = upload(api, store, picture(8, 8))
    body = image_body | {"mask_base64": encoded(mask("LA")), "reference_keys": [reference]}
    first = api.post("/process-image-async", body, Idempotency_Key="k")
    store.bucket.delete_all([reference])
    again = api.post("/process-image-async", body, Idempotency_Key="k")
    other = api.post("/process-image-async", body | {"quality": "low"}, Idempotency_Key="k")

    assert (first.status, again.status, other.status) == (202, 202, 409)
    job_id = again.body["job_id"]
    assert job_id == first.body["job_id"]
    assert store.bucket.get(store.key(job_id, "mask")).body == mask("LA")
    assert "mask_base64" not in store.bucket.get(store.key(job_id, "request.json")).body.decode()


def test_references_that_are_too_large_together_are_refused(api: Api, store: JobStore) -> None:
    keys = [upload(api, store, bytes(25_000_001)), upload(api, store, bytes(25_000_000))]
    (problem,) = api.post("/batch-process-images", {"prompt": "p", "reference_keys": keys}).body["detail"]

    assert "50,000,001 bytes together: the limit is 50,000,000" in problem["msg"]


def test_the_models_that_callers_may_choose_are_listed_with_what_they_take(api: Api, choosy: Api) -> None:
    (own,) = api("GET", "/models").body["models"]
    assert own.pop("price")["output"] > 0
    assert own == {
        "name": MODEL,
        "engine": "openai",
        "default": True,
        "options": {
            "quality": ["low", "medium", "high", "xhigh", "max", "auto"],
            "size": own["options"]["size"],
            "output_format": ["png", "jpeg", "webp"],
            "output_compression": ["jpeg", "webp"],
            "background": ["transparent", "opaque", "auto"],
        },
        "mask": True,
        "max_references": 15,
        "search": False,
        "needs": [],
    }
    listed = {model["name"]: model for model in choosy("GET", "/models").body["models"]}
    assert [(name, model["default"]) for name, model in listed.items()] == [
        (MODEL, True),
        ("gpt-image-2", False),
        ("local", False),
        ("my-server/model", False),
    ]
    assert listed["local"]["options"] == {}
    assert (listed["local"]["mask"], listed["local"]["max_references"]) == (False, 0)


def test_an_edit_that_needs_no_provider_needs_no_key(stack: dict[str, str], image_body: dict[str, str]) -> None:

    boto3.client("secretsmanager").put_secret_value(SecretId="secrets", SecretString="{}")
    api = Api(stack | {"ALLOWED_MODELS": "local"})

    assert api.post("/process-image-async", image_body | {"model": "local"}).status == 202
    assert "OPENAI_API_KEY" in api.post("/process-image-async", image_body).body["detail"]
