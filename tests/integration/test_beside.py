"""A mask and reference pictures, from the request to the engine: what accept keeps, the functions after it find."""

import base64
from typing import Any

import boto3
import pytest

from functions.batch_fanout import app as batch_fanout
from functions.batch_fanout.settings import BatchFanoutSettings
from functions.process_image import app as process_image
from functions.process_image.resources import ProcessImageResources
from functions.process_image.settings import ProcessImageSettings
from imagejobs.resources import Resources
from standins.openai import OpenAIStandIn
from standins.openai_answers import edited
from tests.integration.accept.conftest import Api
from tests.integration.accept.test_options import mask
from tests.support.context import Context
from tests.support.pictures import picture
from tests.support.sockets import Serve, answering


@pytest.mark.parametrize("operation", ["base64", "batch"])
def test_they_come_from_the_request_to_openai(
    stack: dict[str, str], monkeypatch: pytest.MonkeyPatch, openai: OpenAIStandIn, serve: Serve, operation: str
) -> None:
    openai.will_answer(edited(picture(file_format="WEBP")))
    server = serve(answering("200 OK", picture(20, 20, "blue")))
    local = {"CALLBACK_ALLOW_HTTP": "true", "CALLBACK_ALLOW_PRIVATE": "true"}
    environment = stack | local | {"OPENAI_BASE_URL": openai.base_url}
    api = Api(environment)
    edits = ProcessImageResources(ProcessImageSettings.from_environment(environment))
    lists = Resources(BatchFanoutSettings.from_environment(environment))
    monkeypatch.setattr(process_image, "resources", lambda: edits)
    monkeypatch.setattr(batch_fanout, "resources", lambda: lists)
    uploaded = api("POST", "/uploads", {"filename": "r.png", "content_type": "image/png", "size": 1}).body["image_key"]
    s3 = boto3.client("s3")
    s3.put_object(Bucket="jobs", Key=uploaded, Body=picture(10, 10, "red"))
    s3.put_object(Bucket="input", Key="a.png", Body=picture())
    body: dict[str, Any] = {
        "prompt": "p",
        "output_format": "webp",
        "mask_base64": base64.b64encode(mask()).decode(),
        "reference_keys": [uploaded],
        "reference_urls": [server.url],
    }
    if operation == "base64":
        body["image_base64"] = base64.b64encode(picture()).decode()
    route = {"base64": "/process-image-async-b64", "batch": "/batch-process-images"}[operation]
    job = {"job_id": api.post(route, body).body["job_id"]}
    if operation == "batch":
        batch_fanout.handler({"action": "list_images", **job}, Context())
        job["at"] = 0

    assert process_image.handler({"operation": operation, **job}, Context())["content_type"] == "image/webp"
    (sent,) = openai.requests
    order = [picture(), picture(10, 10, "red"), picture(20, 20, "blue")]
    assert [sent.index(one) for one in order] == sorted(sent.index(one) for one in order)
    assert mask() in sent
    assert len(server.heads) == 1
