"""What jobs cost: refused above a bound, and told when they are finished, with who made the picture."""

from typing import Any

import pytest

from imagejobs.callbacks import BatchCallback, UrlCallback, failed_callback
from imagejobs.job_store import JobStore
from imagejobs.spent import put_spent
from imagejobs.usage import ModelUsage
from imagejobs.workflow import BatchSummary, EditedImage, EditRequest, Estimate
from tests.integration.accept.conftest import Api

ROUTES = ("/process-image-async-b64", "/process-image-async")
PRICED = {"OPENAI_IMAGE_MODEL": "m", "MODEL_PRICES": '{"m": {"edit": 0.5}}'}
TOOK: dict[str, Any] = {"engine": "openai", "model": "m", "input_tokens": 10, "output_tokens": 20, "cost_usd": 0.5}


@pytest.mark.parametrize("route", ROUTES)
def test_a_single_image_above_the_owners_bound_is_refused(
    stack: dict[str, str], image_body: dict[str, str], store: JobStore, route: str
) -> None:
    answered = Api(stack | PRICED | {"MAX_COST_USD_PER_JOB": "0.49"}).post(route, image_body)

    assert answered.status == 422
    (problem,) = answered.body["detail"]
    assert problem["loc"] == ["body"]
    assert "would cost about $0.5000, and the limit is $0.4900 (MaxCostUsdPerJob)" in problem["msg"]
    assert list(store.bucket.keys("jobs/")) == []
    assert Api(stack | PRICED | {"MAX_COST_USD_PER_JOB": "0.5"}).post(route, image_body).status == 202


def test_a_bound_needs_a_price(stack: dict[str, str], image_body: dict[str, str]) -> None:
    bounded = Api(stack | {"OPENAI_IMAGE_MODEL": "of-another-server", "MAX_COST_USD_PER_JOB": "100"})

    answered = bounded.post(ROUTES[0], image_body)

    assert answered.status == 422
    assert "ModelPrices" in answered.body["detail"][0]["msg"]


def test_a_callers_bound_is_within_the_owners(stack: dict[str, str], store: JobStore) -> None:
    api = Api(stack | {"MAX_COST_USD_PER_JOB": "5"})

    refused = api.post("/batch-process-images", {"prompt": "x", "max_cost_usd": 5.01})
    taken = api.post("/batch-process-images", {"prompt": "x", "max_cost_usd": 5, "dry_run": True})

    assert refused.status == 422
    (problem,) = refused.body["detail"]
    assert problem["loc"] == ["body", "max_cost_usd"]
    assert "at most $5.00" in problem["msg"]
    request = store.get_request(taken.body["job_id"])
    assert (request.max_cost_usd, request.dry_run) == (5, True)


def test_the_list_of_models_tells_their_prices(stack: dict[str, str]) -> None:
    own = {"MODEL_PRICES": '{"of-another-server": {"edit": 0.02}}', "ALLOWED_MODELS": "of-another-server,unpriced"}

    models = {one["name"]: one for one in Api(stack | own)("GET", "/models").body["models"]}

    assert models["of-another-server"]["price"] == {"edit": 0.02}
    assert "price" not in models["unpriced"]
    openais = models["gpt-image-2.6-flare"]["price"]
    assert (openais["text_input"], openais["image_input"], openais["output"]) == (5, 8, 30)


@pytest.mark.parametrize(
    "field", [{"max_cost_usd": 0}, {"max_cost_usd": -1}, {"max_cost_usd": "2"}, {"dry_run": "true"}, {"dry_run": 1}]
)
def test_choices_of_another_kind_are_refused(api: Api, field: dict[str, object]) -> None:
    assert api.post("/batch-process-images", {"prompt": "x", **field}).status == 422


def kept(**fields: Any) -> EditedImage:
    values = {"content_type": "image/png", "attempts": 1, "bytes_in": 9, "bytes_out": 6, "ms": 5}
    return EditedImage.model_validate(values | TOOK | fields)


def finished_url_job(api: Api, image_body: dict[str, str], store: JobStore, edited: EditedImage) -> str:
    job_id = str(api.post("/process-image-async", image_body).body["job_id"])
    api.resources.outputs.put("results/x.png", b"edited", "image/png", metadata=edited.metadata())
    payload = UrlCallback(
        status="completed", job_id=job_id, object_key="results/x.png", result_url="https://old.example", expires_in=1
    )
    store.decide(job_id, payload.to_json())
    return job_id


def test_a_finished_image_tells_what_it_cost_and_that_an_ai_made_it(
    api: Api, image_body: dict[str, str], store: JobStore
) -> None:
    job_id = finished_url_job(api, image_body, store, kept())
    put_spent(store.bucket, EditRequest(job_id=job_id, operation="url"), ModelUsage(**TOOK))

    job = api("GET", f"/jobs/{job_id}").body

    assert (job["engine"], job["model"], job["ai_generated"]) == ("openai", "m", True)
    assert "stands_in_for" not in job
    # With the answer before it, which brought no image.
    assert job["usage"] == {
        "images": [TOOK | {"images": 1, "input_tokens": 20, "output_tokens": 40, "cost_usd": 1.0}],
        "input_tokens": 20,
        "output_tokens": 40,
        "cost_usd": 1.0,
    }


def test_the_fallbacks_picture_is_no_ais_and_costs_nothing(
    api: Api, image_body: dict[str, str], store: JobStore
) -> None:
    free = {"engine": "local_fallback", "model": "local", "input_tokens": 0, "output_tokens": 0, "cost_usd": 0}
    edited = kept(**free, stands_in_for="openai")
    job = api("GET", f"/jobs/{finished_url_job(api, image_body, store, edited)}").body

    assert job["stands_in_for"] == "openai"
    assert job["ai_generated"] is False
    assert job["usage"]["images"] == [free | {"images": 1}]
    assert job["usage"]["cost_usd"] == 0


def test_a_cost_that_is_not_known_is_absent(api: Api, image_body: dict[str, str], store: JobStore) -> None:
    edited = kept(model="nouvel-édit 2", cost_usd=None)
    job = api("GET", f"/jobs/{finished_url_job(api, image_body, store, edited)}").body

    assert job["model"] == "nouvel-édit 2"
    assert "cost_usd" not in job["usage"]
    assert "cost_usd" not in job["usage"]["images"][0]


def test_a_failed_image_tells_what_it_cost_all_the_same(api: Api, job_id: str, store: JobStore) -> None:
    for retries in (0, 1):
        request = EditRequest(job_id=job_id, operation="base64", retries=retries)
        put_spent(store.bucket, request, ModelUsage(**TOOK))
    store.decide(job_id, failed_callback(store.get_request(job_id), "no sound image", api.resources.settings))

    job = api("GET", f"/jobs/{job_id}").body

    assert job["status"] == "failed"
    assert job["usage"]["images"] == [
        TOOK | {"images": 0, "input_tokens": 20, "output_tokens": 40, "cost_usd": 1.0},
    ]
    assert "ai_generated" not in job


def finished_batch(api: Api, store: JobStore, summary: BatchSummary, **choices: Any) -> dict[str, Any]:
    job_id = str(api.post("/batch-process-images", {"prompt": "x", **choices}).body["job_id"])
    store.put_summary(job_id, summary)
    payload = BatchCallback(
        status="completed",
        job_id=job_id,
        **summary.model_dump(exclude={"usage", "estimate"}),
        total_files_processed=summary.processed,
        duration_seconds=1,
        output_bucket="output",
        output_prefix=f"results/batch/{job_id}/",
    )
    store.decide(job_id, payload.to_json())
    job: dict[str, Any] = api("GET", f"/jobs/{job_id}").body
    return job


def test_a_batchs_usage_is_that_of_its_summary(api: Api, store: JobStore) -> None:
    took = [ModelUsage(**TOOK, images=2), ModelUsage(engine="stability", model="s", images=1, cost_usd=0.07)]
    counts = {"total_files": 3, "processed": 3, "failed": 0, "fallback_local": 0}
    job = finished_batch(api, store, BatchSummary(**counts, errors=[], usage=took))

    assert [(one["model"], one["images"], one["cost_usd"]) for one in job["usage"]["images"]] == [
        ("m", 2, 0.5),
        ("s", 1, 0.07),
    ]
    assert (job["usage"]["output_tokens"], job["usage"]["cost_usd"]) == (20, 0.57)
    assert "estimate" not in job


def test_a_dry_run_tells_its_estimate_and_links_to_no_report(api: Api, store: JobStore) -> None:
    nothing = {"total_files": 0, "processed": 0, "failed": 0, "fallback_local": 0}
    summary = BatchSummary(**nothing, errors=["dry run: …"], estimate=Estimate(images=214, cost_usd=3.21))
    job = finished_batch(api, store, summary, dry_run=True)

    assert (job["status"], job["estimate"]) == ("completed", {"images": 214, "cost_usd": 3.21})
    assert job["result"]["errors"] == ["dry run: …"]
    assert "report_url" not in job["result"]
    assert job["usage"]["cost_usd"] == 0
