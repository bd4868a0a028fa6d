"""The three operations from post to callback, and what travels in between."""

import base64
import io
import json
from collections.abc import Callable

from PIL import Image, ImageChops
from standardwebhooks import Webhook

from imagejobs.callbacks import Base64Callback, BatchCallback, UrlCallback
from imagejobs.executions import ExecutionName, Executions
from local.stack import StackInfo
from standins.openai import OpenAIStandIn
from tests.e2e.conftest import Service, encoded
from tests.support.pictures import picture
from tests.support.waiting import PATIENCE


def opened(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


def test_base64_job(service: Service, stack: StackInfo) -> None:
    job_id = service.submit_base64(filename="cat.png", headers={"x-correlation-id": "trace-1"})
    payload = service.callback(job_id)

    result = Base64Callback.model_validate(payload)
    assert (result.status, result.job_id, result.filename) == ("completed", job_id, "cat.png")
    assert result.result_mime_type == "image/png"
    edited = opened(base64.b64decode(result.result_image_base64 or "", validate=True))
    assert edited.format == "PNG"
    assert ImageChops.difference(edited.convert("RGB"), opened(picture()).convert("RGB")).getbbox() is not None
    (callback,) = service.callbacks(job_id)
    assert callback.headers["content-type"] == "application/json"
    assert callback.headers["x-correlation-id"] == "trace-1"
    secret = stack.client("secretsmanager").get_secret_value(SecretId=stack.signing_secret_arn)["SecretString"]
    Webhook(json.loads(secret)["CALLBACK_SIGNING_KEY"]).verify(callback.body, callback.headers)


def test_url_job(service: Service) -> None:
    job_id = service.submit_url(filename="my cat.jpeg")
    result = UrlCallback.model_validate(service.callback(job_id))

    assert result.object_key == f"results/{job_id}/my_cat_modified.png"
    assert result.expires_in == 900
    assert opened(service.http.get(result.result_url or "").content).format == "PNG"
    again = service.job(job_id)["result"]["result_url"]
    assert opened(service.http.get(again).content).format == "PNG"


def test_batch(service: Service, stack: StackInfo, input_folder: Callable[..., str], openai: OpenAIStandIn) -> None:
    folder = input_folder(
        a_png=picture(), a_jpg=picture(file_format="JPEG"), sub__a_png=picture(), notes_txt=b"no image", empty_png=b""
    )
    openai.fail("billing_hard_limit", filename="image.jpeg")
    job_id = service.submit_batch(prefix=folder)
    result = BatchCallback.model_validate(service.callback(job_id))

    assert (result.status, result.total_files, result.processed, result.failed) == ("completed_with_errors", 5, 3, 2)
    assert result.fallback_local == 1
    assert 0 < result.duration_seconds < PATIENCE
    assert (result.output_bucket, result.output_prefix) == (stack.output_bucket, f"results/batch/{job_id}/")
    report = [
        json.loads(line) for line in service.http.get(service.job(job_id)["result"]["report_url"]).text.splitlines()
    ]
    by_name = {row["key"].removeprefix(f"{folder}/"): row for row in report}
    assert {name: row["status"] for name, row in by_name.items()} == {
        "a.png": "completed",
        "a.jpg": "completed",
        "sub/a.png": "completed",
        "notes.txt": "failed",
        "empty.png": "failed",
    }
    outputs = [row["output_key"] for row in report if row["status"] == "completed"]
    assert len(set(outputs)) == 3
    for key in outputs:
        assert key.startswith(result.output_prefix)
        assert opened(stack.client("s3").get_object(Bucket=stack.output_bucket, Key=key)["Body"].read()).format == "PNG"
    assert all(
        f"{folder}/{name}: UnsupportedImageError: " in " ".join(result.errors) for name in ("notes.txt", "empty.png")
    )


def test_billing_limit_in_a_batch_falls_back(
    service: Service, input_folder: Callable[..., str], openai: OpenAIStandIn
) -> None:
    folder = input_folder(one_png=picture(), two_png=picture())
    openai.fail("project_spend_limit", times=1)
    result = BatchCallback.model_validate(service.callback(service.submit_batch(prefix=folder)))

    assert (result.status, result.processed, result.fallback_local) == ("completed", 2, 1)
    (error,) = result.errors
    assert error.startswith(f"{folder}/")
    assert error.endswith(".png: OpenAI billing limit -> fallback local applied")


def test_empty_batch_is_completed(service: Service) -> None:
    result = BatchCallback.model_validate(service.callback(service.submit_batch(prefix="nothing-here")))

    assert (result.status, result.total_files, result.errors) == ("completed", 0, [])


def test_batch_choices(service: Service, stack: StackInfo, input_folder: Callable[..., str]) -> None:
    folder = input_folder(a_png=picture(), b_png=picture(), c_png=picture())
    job_id = service.submit_batch(prefix=folder, max_files=2, output_prefix="run-7")
    result = BatchCallback.model_validate(service.callback(job_id))

    assert result.total_files == 2
    assert result.output_prefix == f"results/batch/run-7/{job_id}/"
    listed = stack.client("s3").list_objects_v2(Bucket=stack.output_bucket, Prefix=result.output_prefix)
    assert len(listed["Contents"]) == 3  # two images and the report


def test_no_bytes_prompt_or_url_in_any_states_input_or_output(service: Service, stack: StackInfo) -> None:
    prompt = "a very particular wish"
    job_id = service.submit_base64(prompt=prompt)
    service.callback(job_id)
    client = stack.client("stepfunctions")
    arn = Executions(client, stack.state_machine_arn).arn(ExecutionName(job_id))
    history = json.dumps(client.get_execution_history(executionArn=arn)["events"], default=str)

    assert "EditImage" in history
    for travelled in (prompt, encoded()[:40], service.receiver.base_url):
        assert travelled not in history


def test_no_file_name_in_any_history(
    service: Service, stack: StackInfo, input_folder: Callable[..., str], openai: OpenAIStandIn
) -> None:
    folder = input_folder(maria_png=picture(), maria_txt=b"no image")
    batch, single = service.submit_batch(prefix=folder), service.submit_url(filename="maria.png")
    errors = service.callback(batch)["errors"]
    assert "maria_modified" in service.callback(single)["object_key"]

    client = stack.client("stepfunctions")
    executions = Executions(client, stack.state_machine_arn)
    (run,) = client.list_map_runs(executionArn=executions.arn(ExecutionName(batch)))["mapRuns"]
    children = client.list_executions(mapRunArn=run["mapRunArn"])["executions"]
    arns = [executions.arn(ExecutionName(job)) for job in (batch, single)] + [one["executionArn"] for one in children]
    history = json.dumps([client.get_execution_history(executionArn=arn)["events"] for arn in arns], default=str)
    assert len(arns) == 4
    assert "UnsupportedImageError" in history
    assert any("maria" in error for error in errors)
    for name in ("maria", folder):
        assert name not in history


def test_no_prompt_token_or_query_string_in_the_logs(service: Service, stack: StackInfo) -> None:
    job_id = service.submit_base64(prompt="a very particular wish", path="/callback?token=s3cret")
    service.callback(job_id)
    logs = stack.client("logs")
    groups = [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]]
    pages = logs.get_paginator("filter_log_events").paginate
    text = " ".join(
        event["message"] for group in groups for page in pages(logGroupName=group) for event in page["events"]
    )

    assert job_id in text
    for secret in ("a very particular wish", "s3cret", "sk-test", encoded()[:40]):
        assert secret not in text
