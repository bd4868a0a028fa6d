"""What jobs cost and who made their pictures, through the whole stack; the pictures' bytes are the provider's."""

import base64
from collections.abc import Callable
from typing import Any

import httpx2

from local.stack import StackInfo
from standins.openai import OpenAIStandIn
from standins.openai_answers import edited
from tests.e2e.conftest import Service
from tests.support.pictures import picture
from tests.support.signed import signed_jpeg, signed_png

# What an answer that is given ahead takes, at the default model's prices: 308 tokens of a picture, 15 of text, 1,056 of
# output.
COST = round((308 * 8 + 15 * 5 + 1056 * 30) / 1e6, 6)
MADE_BY: dict[str, Any] = {"engine": "openai", "model": "gpt-image-2.6-flare"}


def test_signed_pictures_come_through_byte_for_byte_with_who_made_them_and_what_they_cost(
    service: Service, stack: StackInfo, openai: OpenAIStandIn
) -> None:
    png, jpeg = signed_png(), signed_jpeg()
    openai.will_answer(edited(png))
    as_base64 = service.submit_base64(path="/png")
    callback = service.callback(as_base64)

    assert set(callback) == {"status", "job_id", "result_image_base64", "result_mime_type"}
    assert base64.b64decode(callback["result_image_base64"]) == png
    job = service.job(as_base64)
    assert httpx2.get(job["result"]["result_url"]).content == png
    assert (job["engine"], job["model"], job["ai_generated"]) == (*MADE_BY.values(), True)
    took = {"input_tokens": 323, "output_tokens": 1056, "cost_usd": COST}
    assert job["usage"] == {"images": [MADE_BY | {"images": 1} | took], **took}

    openai.will_answer(edited(jpeg))
    as_url = service.submit_url(path="/jpeg", output_format="jpeg")
    callback = service.callback(as_url)

    assert set(callback) == {"status", "job_id", "object_key", "result_url", "expires_in"}
    assert httpx2.get(callback["result_url"]).content == jpeg
    stored = stack.images_client().get_object(Bucket=stack.output_bucket, Key=callback["object_key"])
    assert stored["Body"].read() == jpeg


def test_a_batch_is_asked_for_its_cost_held_to_a_bound_and_tells_what_it_took(
    service: Service, openai: OpenAIStandIn, input_folder: Callable[..., str]
) -> None:
    batch = {"prefix": input_folder(a_png=picture(), b_png=picture(40, 30)), "size": "1024x1024", "quality": "medium"}

    asked = service.submit_batch(**batch, dry_run=True)
    callback = service.callback(asked)
    (told,) = callback["errors"]
    # 439 output tokens, 1,536 for the picture and 4 for the prompt, twice.
    estimate = 2 * round((439 * 30 + 1536 * 8 + 4 * 5) / 1e6, 6)
    assert told == f"dry run: 2 images would be edited for about ${estimate:.4f}. Nothing was edited or paid"
    assert (callback["status"], callback["total_files"], callback["failed"]) == ("completed", 0, 0)
    assert service.job(asked)["estimate"] == {"images": 2, "cost_usd": estimate}

    refused = service.callback(service.submit_batch(**batch, max_cost_usd=0.05))
    assert refused["status"] == "failed"
    assert refused["error"].startswith(
        f"CostTooHighError: 2 images would cost about ${estimate:.4f}, and the limit is $0.0500 (max_cost_usd)."
    )
    assert openai.calls == []

    paid = service.submit_batch(**batch, max_cost_usd=0.06)
    assert service.callback(paid)["processed"] == 2
    job = service.job(paid)
    # What the stand-in says: 308 tokens for the picture, and one for four characters of the prompt.
    cost = round((439 * 30 + 308 * 8 + 3 * 5) / 1e6, 6)
    took = {"input_tokens": 622, "output_tokens": 878, "cost_usd": round(2 * cost, 6)}
    assert took["cost_usd"] < estimate
    assert job["usage"] == {"images": [MADE_BY | {"images": 2} | took], **took}
    lines = [line for line in httpx2.get(job["result"]["report_url"]).text.splitlines() if f'"cost_usd":{cost}' in line]
    assert len(lines) == 2
    assert all('"ai_generated":true' in line and '"model":"gpt-image-2.6-flare"' in line for line in lines)
