"""The function with little memory: what it edits stays within its memory, and what may not is handed over unpaid."""

import json
import math
import subprocess
import sys
from io import BytesIO
from typing import Any

import pytest
from PIL import Image, ImageCms

from functions.process_image import memory
from imagejobs.job_store import JobStore
from imagejobs.storage import Bucket
from standins.openai import OpenAIStandIn
from standins.openai_answers import edited, refused
from tests.integration.conftest import Account
from tests.integration.process_image.conftest import ROOT, Accept, Configure, invoke
from tests.support.jobs import JOB_ID, job_request
from tests.support.waiting import PATIENCE
from tools.render import template

RESOURCES = template()["Resources"]
SMALL_MB, LARGE_MB = (
    RESOURCES[name]["Properties"]["MemorySize"] for name in ("ProcessSmallImageFunction", "ProcessImageFunction")
)
ROOM = memory.room(SMALL_MB, job_request("base64"))
WITH_REFERENCES = job_request("base64", reference_urls=["https://example.com/1.png"])
MAX_IMAGE_PIXELS = template()["Parameters"]["MaxImagePixels"]["Default"]


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def flat(pixels: int, kind: str = "PNG") -> bytes:
    """A file of a few bytes for so many pixels."""
    side = math.isqrt(pixels)
    return saved(Image.new("L", (side, side), 200), kind)


def largest_photo() -> bytes:
    """About the largest that the small function takes, as a phone held upright makes it: turned, and with a profile."""
    exif, profile = Image.Exif(), ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif[0x0112] = 6
    side = math.isqrt((ROOM - 12_000_000) // memory.PHOTO_BYTES_A_PIXEL)
    noise = Image.effect_noise((side // 4, side // 4), 40).resize((side, side), Image.Resampling.BILINEAR)
    return saved(noise.convert("RGB"), "JPEG", exif=exif.tobytes(), icc_profile=profile, quality=90)


@pytest.fixture
def small(configure: Configure) -> None:
    configure(AWS_LAMBDA_FUNCTION_MEMORY_SIZE=str(SMALL_MB))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_its_largest_photo_and_openais_largest_answer_stay_within_its_memory(
    environment: dict[str, str], account: Account, openai: OpenAIStandIn
) -> None:
    store = JobStore(Bucket(account.client("s3"), "jobs"))
    store.put_input(JOB_ID, largest_photo(), "image/jpeg")
    openai.will_answer(edited(saved(Image.effect_noise((3840, 2160), 90).convert("RGB"), "PNG", compress_level=1)))
    event = json.dumps({"job_id": JOB_ID, "operation": "base64", "may_hand_over": True})

    command = [sys.executable, "-m", "tests.integration.process_image.worker", event]
    limited = {**environment, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(SMALL_MB)}
    done = subprocess.run(command, env=limited, cwd=ROOT, capture_output=True, check=True, timeout=PATIENCE)

    told = json.loads(done.stdout.splitlines()[-1])
    assert told["result"]["status"] == "edited"
    assert told["peak"] < SMALL_MB * 1024 * 1024


@pytest.mark.usefixtures("small")
def test_a_picture_that_may_not_fit_is_handed_over_with_its_place_in_the_queue_and_nothing_is_asked(
    accept: Accept, openai: OpenAIStandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    accept("base64", flat(ROOM // memory.BYTES_A_PIXEL + 10_000))
    waited = {"attempts": 3, "rate_limited": 2, "ticket": 7, "since": "2026-11-25T10:00:00Z", "throttle_seconds": 20}

    result = invoke("base64", may_hand_over=True, retries=1, waited=waited)

    assert result == {"status": "handed_over", "engine": "openai", **waited, "attempts": 4}
    assert openai.calls == []
    assert '"HandedOver":[1.0]' in capsys.readouterr().out.replace(" ", "")


@pytest.mark.usefixtures("small")
def test_a_reference_that_may_not_fit_beside_the_picture_hands_the_job_over(
    accept: Accept, store: JobStore, openai: OpenAIStandIn
) -> None:
    accept("base64", flat(1_000_000), reference_keys=["uploads/large.png"])
    store.bucket.put(f"jobs/{JOB_ID}/reference-1", flat(ROOM // memory.BYTES_A_PIXEL), "image/png")

    assert invoke("base64", may_hand_over=True)["status"] == "handed_over"
    assert openai.calls == []


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("told", [{}, {"may_hand_over": False}])
def test_a_picture_is_handed_over_only_where_the_state_machine_has_another_function(
    accept: Accept, openai: OpenAIStandIn, told: dict[str, bool]
) -> None:
    accept("base64", flat(ROOM // memory.BYTES_A_PIXEL + 10_000))

    assert invoke("base64", **told)["status"] == "edited"


@pytest.mark.usefixtures("small")
def test_a_picture_that_fits_is_edited_and_so_is_its_fallback(accept: Accept, openai: OpenAIStandIn) -> None:
    openai.will_answer(refused(400, "billing_hard_limit_reached"))
    accept("base64", flat(1_000_000))

    assert invoke("base64", may_hand_over=True)["engine"] == "local_fallback"


def test_the_large_function_holds_any_picture_of_as_many_pixels_as_are_taken() -> None:
    file, form_and_answer = 100_000_000, 150_000_000

    assert memory.room(LARGE_MB, WITH_REFERENCES) > MAX_IMAGE_PIXELS * memory.BYTES_A_PIXEL + file + form_and_answer


def test_the_small_function_takes_24_megapixels_of_a_phone() -> None:
    assert ROOM > 24_500_000 * memory.PHOTO_BYTES_A_PIXEL + 20_000_000
