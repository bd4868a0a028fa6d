"""The engine Amazon Bedrock, by the real boto3: the request of each service, and the table of errors row by row."""

import base64
import socket
import time
from io import BytesIO
from typing import Any

import botocore.session
import pytest
from PIL import Image

from functions.process_image.engines.bedrock import SERVICES, BedrockEngine
from functions.process_image.engines.bedrock_errors import CONNECTION, ERRORS, REASONS, STATUSES
from functions.process_image.engines.engine import RateLimitedError
from functions.process_image.pictures import Picture
from imagejobs.errors import (
    EngineInvalidAnswerError,
    EngineRejectedError,
    EngineRetryableError,
    UnsupportedImageError,
)
from standins.bedrock import BedrockStandIn, edited, filtered, refused
from standins.server import Answer
from tests.integration.engines.conftest import EDITED, PICTURE, STRUCTURE, MakeBedrock, edit, task
from tests.support.pictures import picture
from tests.support.waiting import PATIENCE

RETRY, REPORT, WAIT = EngineRetryableError, EngineRejectedError, RateLimitedError
STYLE = Picture(picture(80, 80, "gold"), "image/png")


def mask() -> Picture:
    """A mask whose left half is transparent: that half is to change."""
    image = Image.new("RGBA", (160, 120), (0, 0, 0, 255))
    image.paste((0, 0, 0, 0), (0, 0, 80, 120))
    buffer = BytesIO()
    image.save(buffer, "PNG")
    return Picture(buffer.getvalue(), "image/png")


# What each service is sent beside its picture and output_format.
REQUESTS = {
    "stability.stable-image-control-structure-v1:0": {"prompt"},
    "stability.stable-image-control-sketch-v1:0": {"prompt"},
    "stability.stable-style-transfer-v1:0": {"prompt", "style_image"},
    "stability.stable-image-search-replace-v1:0": {"prompt", "search_prompt"},
    "stability.stable-image-search-recolor-v1:0": {"prompt", "select_prompt"},
    "stability.stable-image-inpaint-v1:0": {"prompt", "mask"},
    "stability.stable-image-erase-object-v1:0": {"mask"},
    "stability.stable-outpaint-v1:0": {"prompt", "left", "right", "down"},
    "stability.stable-image-remove-background-v1:0": set(),
    "stability.stable-fast-upscale-v1:0": set(),
    "stability.stable-conservative-upscale-v1:0": {"prompt"},
    "stability.stable-creative-upscale-v1:0": {"prompt"},
}


@pytest.mark.parametrize("model", SERVICES)
def test_each_service_takes_its_request_and_gives_a_sound_edit(
    bedrock: BedrockEngine, bedrock_server: BedrockStandIn, model: str
) -> None:
    pictures = (PICTURE, STYLE) if "style-transfer" in model else (PICTURE,)
    size: dict[str, Any] = {"size": "261x121"} if "outpaint" in model else {}

    made, heard = edit(bedrock, task(model, *pictures, mask=mask(), search="the sky", output_format="webp", **size))

    (call,), (request,) = bedrock_server.calls, bedrock_server.requests
    assert (call.model, call.status) == (f"us.{model}", 200)
    field = "init_image" if "style-transfer" in model else "image"
    assert request.keys() == {field, "output_format"} | REQUESTS[model]
    assert base64.b64decode(request[field]) == PICTURE.body
    assert (made.media_type, made.engine, made.model, made.note) == ("image/webp", "bedrock", model, None)
    assert heard == [made.usage]
    assert 0 <= made.usage.ms < PATIENCE * 1000


def test_a_mask_is_white_where_the_caller_made_it_transparent(
    bedrock: BedrockEngine, bedrock_server: BedrockStandIn
) -> None:
    edit(bedrock, task("stability.stable-image-inpaint-v1:0", mask=mask()))

    sent = Image.open(BytesIO(base64.b64decode(bedrock_server.requests[0]["mask"])))
    assert (sent.mode, sent.getpixel((10, 60)), sent.getpixel((150, 60))) == ("L", 255, 0)


@pytest.mark.parametrize(
    ("size", "sides"),
    [("261x121", {"left": 50, "right": 51, "down": 1}), ("160x200", {"up": 40, "down": 40})],
)
def test_outpainting_keeps_the_picture_in_the_middle_of_the_size_asked_for(
    bedrock: BedrockEngine, bedrock_server: BedrockStandIn, size: str, sides: dict[str, int]
) -> None:
    bedrock_server.will_answer(edited(EDITED))

    edit(bedrock, task("stability.stable-outpaint-v1:0", size=size))

    request = bedrock_server.requests[0]
    assert {side: request[side] for side in ("left", "right", "up", "down") if side in request} == sides


@pytest.mark.parametrize("size", ["100x200", "160x120", "9000x200"])
def test_outpainting_to_a_size_that_it_cannot_reach_is_refused_before_it_is_paid(
    bedrock: BedrockEngine, bedrock_server: BedrockStandIn, size: str
) -> None:
    with pytest.raises(REPORT, match=f"^InvalidSize: {size} was asked for, and the picture is 160x120"):
        edit(bedrock, task("stability.stable-outpaint-v1:0", size=size))
    assert not bedrock_server.calls


@pytest.mark.parametrize(
    ("model", "size", "expected"),
    [
        (STRUCTURE, (4000, 3000), (3547, 2660)),
        ("stability.stable-creative-upscale-v1:0", (2000, 1000), (1448, 724)),
        ("stability.stable-fast-upscale-v1:0", (3000, 100), (1535, 51)),
    ],
)
def test_a_picture_with_too_many_pixels_is_scaled_down_with_a_note(
    bedrock: BedrockEngine, bedrock_server: BedrockStandIn, model: str, size: tuple[int, int], expected: tuple[int, int]
) -> None:
    made, _ = edit(bedrock, task(model, Picture(picture(*size, file_format="JPEG"), "image/jpeg")))

    sent = Image.open(BytesIO(base64.b64decode(bedrock_server.requests[0]["image"])))
    assert (sent.format, sent.size) == ("JPEG", expected)
    sizes = "{} x {} to {} x {}".format(*size, *expected)
    assert made.note == f"scaled down from {sizes} pixels to fit Amazon Bedrock's limits"


@pytest.mark.parametrize("size", [(300, 100), (63, 64)])
def test_a_picture_that_no_scaling_fits_is_refused_before_it_is_paid(
    bedrock: BedrockEngine, bedrock_server: BedrockStandIn, size: tuple[int, int]
) -> None:
    message = "the picture is {} x {} pixels: .* at least 64 pixels a side, at most 2.5 times as long as wide"
    with pytest.raises(UnsupportedImageError, match=message.format(*size)):
        edit(bedrock, task(STRUCTURE, Picture(picture(*size), "image/png")))
    assert not bedrock_server.calls


def test_the_table_has_every_error_of_invoke_model_that_the_sdk_knows_and_the_tests_every_row() -> None:
    service = botocore.session.get_session().get_service_model("bedrock-runtime")
    shapes = service.operation_model("InvokeModel").error_shapes
    known = {shape.name: shape.metadata["error"]["httpStatusCode"] for shape in shapes}
    tested = {answer.headers["x-amzn-ErrorType"].partition(":")[0]: answer.status for answer, *_ in ROWS.values()}

    assert known.keys() == ERRORS.keys()
    assert known.items() <= tested.items()


ROWS = {
    "no right": (refused(403, "AccessDeniedException", "No access"), REPORT, "AccessDeniedException: No access"),
    "no such model": (refused(404, "ResourceNotFoundException"), REPORT, "ResourceNotFoundException"),
    "a bad request": (refused(400, "ValidationException"), REPORT, "ValidationException"),
    "throttled": (refused(429, "ThrottlingException"), WAIT, "ThrottlingException"),
    "a quota": (refused(400, "ServiceQuotaExceededException"), WAIT, "ServiceQuotaExceededException"),
    "an internal error": (refused(500, "InternalServerException"), RETRY, "InternalServerException"),
    "unavailable": (refused(503, "ServiceUnavailableException"), RETRY, "ServiceUnavailableException"),
    "the model failed": (refused(424, "ModelErrorException"), RETRY, "ModelErrorException"),
    "the model is not ready": (refused(429, "ModelNotReadyException"), RETRY, "ModelNotReadyException"),
    "the model took too long": (refused(408, "ModelTimeoutException"), RETRY, "ModelTimeoutException"),
    "an error of AWS: the signature": (refused(403, "ExpiredTokenException"), REPORT, "ExpiredTokenException"),
    "an error of AWS: 408": (refused(408, "RequestTimeout"), RETRY, "RequestTimeout"),
    "an error of AWS: 413": (refused(413, "RequestEntityTooLarge"), REPORT, "RequestEntityTooLarge"),
    "an error of AWS: 429": (refused(429, "TooManyRequests"), WAIT, "TooManyRequests"),
    "an error of AWS: 502": (refused(502, "BadGateway"), RETRY, "BadGateway"),
}


@pytest.mark.parametrize(("answer", "error", "message"), ROWS.values(), ids=ROWS)
def test_each_row_of_the_table_leads_to_its_error(
    bedrock: BedrockEngine, bedrock_server: BedrockStandIn, answer: Answer, error: type[Exception], message: str
) -> None:
    bedrock_server.will_answer(answer)

    with pytest.raises(error, match=message) as raised:
        edit(bedrock, task(STRUCTURE))

    assert type(raised.value) is error
    assert len(bedrock_server.calls) == 1  # the SDK tries nothing again by itself
    assert getattr(raised.value, "seconds", 0) == 0


def test_every_status_has_a_row() -> None:
    assert all(any(status in statuses for statuses, _ in STATUSES) for status in range(600))


ANSWERS = {
    **{reason: (filtered(reason), error) for reason, error in REASONS.items()},
    "a reason that nobody knows": (filtered("Filter reason: something new"), REPORT),
    "no image": (Answer(body={"seeds": [1], "finish_reasons": [None], "images": []}), EngineInvalidAnswerError),
    "no base64": (Answer(body={"finish_reasons": [None], "images": ["*"]}), EngineInvalidAnswerError),
    "no JSON": (Answer(body=b"{"), EngineInvalidAnswerError),
    "JSON of another kind": (Answer(body=[1]), EngineInvalidAnswerError),
    "no picture": (edited(b"no picture at all"), EngineInvalidAnswerError),
    "half a picture": (edited(EDITED[:100]), EngineInvalidAnswerError),
    "a picture of another type": (edited(picture(file_format="JPEG")), REPORT),
}


@pytest.mark.parametrize(("answer", "error"), ANSWERS.values(), ids=ANSWERS)
def test_an_answer_200_without_a_sound_image_may_have_cost_and_is_no_success(
    bedrock: BedrockEngine, bedrock_server: BedrockStandIn, answer: Answer, error: type[Exception]
) -> None:
    bedrock_server.will_answer(answer)
    heard: list[object] = []

    with pytest.raises(error) as raised:
        bedrock.edit(task(STRUCTURE), heard.append)

    assert type(raised.value) is error
    assert len(heard) == 1


@pytest.mark.parametrize("answer", [Answer(body={}, delay=PATIENCE), Answer(connection="drip")], ids=["none", "drip"])
def test_an_answer_that_does_not_come_in_time_is_given_up(
    bedrock: BedrockEngine, bedrock_server: BedrockStandIn, answer: Answer
) -> None:
    bedrock_server.will_answer(answer)
    started = time.monotonic()

    with pytest.raises(RETRY, match="TimeoutError: Amazon Bedrock gave no answer in 1 s"):
        edit(bedrock, task(STRUCTURE, timeout=1))

    assert time.monotonic() - started < PATIENCE / 2


def test_a_connection_that_fails_is_tried_again(
    bedrock: BedrockEngine, bedrock_server: BedrockStandIn, make_bedrock: MakeBedrock
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        closed = make_bedrock(f"http://127.0.0.1:{free.getsockname()[1]}")
    bedrock_server.will_answer(Answer(connection="drop"))

    with pytest.raises(RETRY, match="ConnectionClosedError"):
        edit(bedrock, task(STRUCTURE))
    with pytest.raises(RETRY, match="EndpointConnectionError"):
        edit(closed, task(STRUCTURE))
    assert len(CONNECTION) == 3


def test_neither_the_prompt_nor_the_account_is_repeated(bedrock: BedrockEngine, bedrock_server: BedrockStandIn) -> None:
    message = (
        "User: arn:aws:sts::123456789012:assumed-role/stack-ProcessImage-XY/fn is not authorized to perform: "
        "bedrock:InvokeModel for make the sky purple in account 123456789012"
    )
    bedrock_server.will_answer(refused(403, "AccessDeniedException", message))

    with pytest.raises(REPORT) as raised:
        edit(bedrock, task(STRUCTURE))

    assert str(raised.value) == (
        "AccessDeniedException: User: (the account) is not authorized to perform: bedrock:InvokeModel for (the prompt) "
        "in account (it)"
    )
