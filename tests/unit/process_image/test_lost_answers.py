"""Which failures of a connection may have cost: those of a call that reached its engine."""

import httpx2
import pytest
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError

from functions.process_image.engines import bedrock_errors, gemini_errors

URL = "https://engine.example"
GEMINI: list[tuple[Exception, bool]] = [
    (TimeoutError(), True),
    (httpx2.ReadError("cut off"), True),
    (httpx2.ConnectError("refused"), False),
    (httpx2.ConnectTimeout("nobody there"), False),
]
BEDROCK = [
    (ReadTimeoutError(endpoint_url=URL), True),
    (EndpointConnectionError(endpoint_url=URL), False),
    (ConnectTimeoutError(endpoint_url=URL), False),
]


@pytest.mark.parametrize(("error", "paid"), GEMINI, ids=lambda one: type(one).__name__)
def test_geminis(error: Exception, paid: bool) -> None:
    assert gemini_errors.unreachable(error, 10).may_have_cost is paid


@pytest.mark.parametrize(("error", "paid"), BEDROCK, ids=lambda one: type(one).__name__)
def test_bedrocks(error: ReadTimeoutError | EndpointConnectionError | ConnectTimeoutError, paid: bool) -> None:
    assert vars(bedrock_errors.translated(error, "a prompt")).get("may_have_cost") is paid
