"""One image, from its input to its kept edit."""

from tests.integration.process_image.conftest import JOB_ID, invoke, stored
from tests.integration.process_image.openai_server import EDITED
from tests.pictures import picture


def test_base64_job_keeps_its_result_in_the_jobs_bucket(accepted, openai):
    accepted("base64", picture())

    result = invoke("base64")

    key = f"jobs/{JOB_ID}/result"
    assert result | {"ms": 0} == {
        "status": "edited",
        "output_key": key,
        "content_type": "image/png",
        "engine": "openai",
        "attempts": 1,
        "bytes_in": len(picture()),
        "bytes_out": len(EDITED),
        "ms": 0,
    }
    assert stored("jobs", key) == EDITED
    assert openai.calls == 1
    assert b"make the sky purple" in openai.requests[0]
    assert picture() in openai.requests[0]


def test_url_job_keeps_its_result_in_the_output_bucket(accepted, openai):
    accepted("url", picture(), filename="holiday photo.jpeg")

    result = invoke("url")

    assert result["output_key"] == f"results/{JOB_ID}/holiday_photo_modified.png"
    assert stored("output", result["output_key"]) == EDITED
