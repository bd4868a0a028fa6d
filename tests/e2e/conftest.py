"""The whole stack on the embedded AWS, deployed once for all end-to-end tests, on ports of its own."""

import time
from collections.abc import Callable, Iterator

import httpx2
import pytest

from local.openai_control import OpenAIControl
from local.receiver import Receiver
from local.stack import EmbeddedStack, Options, Ports, StackInfo

LATENCY = 0.1
# Short enough for tests of what hangs, long enough for a busy machine.
PARAMETERS = {"CallbackTimeoutSeconds": "3", "OpenAITimeoutSeconds": "5"}


def wait_for[T](probe: Callable[[], T | None], timeout: float = 30, what: str = "it") -> T:
    """Ask until the answer is neither None nor False; TimeoutError after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        found = probe()
        if found is not None and found is not False:
            return found
        time.sleep(0.05)
    raise TimeoutError(f"waited {timeout} s for {what}")


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStack]:
    """The running stack; `embedded.warm(embedded.function_name("ProcessImageFunction"), 8)` readies workers."""
    options = Options(
        ports=Ports.free(),
        state_dir=tmp_path_factory.mktemp("embedded"),
        openai_latency=LATENCY,
        with_receiver=False,
        parameters=PARAMETERS,
    )
    with EmbeddedStack(options) as stack:
        yield stack


@pytest.fixture(scope="session")
def stack(embedded: EmbeddedStack) -> StackInfo:
    """Where everything is: URLs, buckets, ARNs, and boto3 clients by `stack.client("s3")`."""
    return embedded.info


@pytest.fixture(scope="session")
def api(stack: StackInfo) -> Iterator[httpx2.Client]:
    """A client of the service's API."""
    with httpx2.Client(base_url=stack.api_url, timeout=35) as client:
        yield client


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A callback receiver of this test alone."""
    with Receiver() as fresh:
        yield fresh


@pytest.fixture
def openai(stack: StackInfo) -> Iterator[OpenAIControl]:
    """The OpenAI stand-in's control, without calls or rules of other tests."""
    control = OpenAIControl(stack.openai_base_url)
    control.reset()
    control.set_latency(LATENCY)
    yield control
    control.reset()
    control.close()
