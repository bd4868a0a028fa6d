"""The stack on the embedded AWS, deployed once for all end-to-end tests, with OpenAI's stand-in in this process."""

import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from imagejobs.job_store import JobStore
from imagejobs.storage import Bucket
from local.stack import EmbeddedStack, Options, Ports, StackInfo
from standins.openai import OpenAIStandIn
from standins.receiver import Received, Receiver
from tests.support.pictures import picture
from tests.support.waiting import PATIENCE, wait_until

# The worker gives OpenAI this long, so that a hang is seen within a test's patience.
OPENAI_TIMEOUT_SECONDS = 10
_PARAMETERS = {
    "OpenAITimeoutSeconds": str(OPENAI_TIMEOUT_SECONDS),
    "EditMaxRetries": "1",
}


@pytest.fixture(scope="session")
def _stand_in() -> Iterator[OpenAIStandIn]:
    with OpenAIStandIn(latency=0.1) as stand_in:
        yield stand_in


@pytest.fixture(scope="session")
def embedded(_stand_in: OpenAIStandIn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStack]:
    """The stack, as it was deployed."""
    options = Options(
        ports=Ports.free(),
        state_dir=tmp_path_factory.mktemp("local"),
        openai_base_url=_stand_in.base_url,
        openai_api_key="sk-test",
        with_receiver=False,
        parameters=_PARAMETERS,
    )
    with EmbeddedStack(options) as stack:
        yield stack


@pytest.fixture(scope="session")
def stack(embedded: EmbeddedStack) -> StackInfo:
    """Where the stack's parts are."""
    return embedded.info


@pytest.fixture(scope="session")
def with_keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackInfo]:
    """A stack that asks for API keys, with an OpenAI stand-in of its own."""
    parameters = {"AccessControl": "api-key", "ApiRateLimit": "70", "ApiBurstLimit": "90", "ApiMonthlyQuota": "5000"}
    folder = tmp_path_factory.mktemp("keys")
    options = Options(ports=Ports.free(), state_dir=folder, with_receiver=False, parameters=parameters)
    with EmbeddedStack(options) as embedded:
        yield embedded.info


@pytest.fixture(scope="session")
def api_key(with_keys: StackInfo) -> str:
    """The key of that stack's callers."""
    keys = with_keys.client("apigateway").get_api_keys(includeValues=True)["items"]
    return str(min(keys, key=lambda key: key["createdDate"])["value"])


@pytest.fixture
def openai(_stand_in: OpenAIStandIn) -> Iterator[OpenAIStandIn]:
    """OpenAI's stand-in, without calls or faults of earlier tests."""
    _stand_in.reset()
    yield _stand_in
    _stand_in.reset()


@pytest.fixture(scope="session")
def _receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def receiver(_receiver: Receiver) -> Receiver:
    """A receiver of callbacks that has received nothing yet."""
    _receiver.reset()
    return _receiver


@pytest.fixture(scope="session")
def store(stack: StackInfo) -> JobStore:
    """The jobs' records in the stack's jobs bucket."""
    return JobStore(Bucket(stack.client("s3"), stack.jobs_bucket))


@dataclass(frozen=True)
class Service:
    """The service as a caller uses it."""

    http: httpx2.Client
    receiver: Receiver

    def submit(self, route: str, *, path: str = "/callback", headers: dict[str, str] | None = None, **body: Any) -> str:
        """Post a job whose callback goes to `path` of the receiver; answers its id."""
        sent = {"callbackUrl": self.receiver.url(path), **(headers or {})}
        answer = self.http.post(route, json={"prompt": "make it blue", **body}, headers=sent)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["job_id"])

    def submit_base64(self, **options: Any) -> str:
        """Post a base64 job with a small picture."""
        return self.submit("/process-image-async-b64", image_base64=encoded(), **options)

    def submit_url(self, **options: Any) -> str:
        """Post a URL job with a small picture."""
        return self.submit("/process-image-async", image_base64=encoded(), **options)

    def submit_batch(self, **options: Any) -> str:
        """Post a batch."""
        return self.submit("/batch-process-images", **options)

    def job(self, job_id: str) -> dict[str, Any]:
        """Read a job."""
        answer = self.http.get(f"/jobs/{job_id}")
        assert answer.status_code == 200, answer.text
        job: dict[str, Any] = answer.json()
        return job

    def callbacks(self, job_id: str) -> list[Received]:
        """Every callback of a job so far."""
        return [one for one in self.receiver.received() if one.headers.get("webhook-id") == job_id]

    def callback(self, job_id: str, timeout: float = PATIENCE) -> dict[str, Any]:
        """Wait for a job's callback."""
        wait_until(lambda: self.callbacks(job_id), timeout, f"the callback of {job_id}")
        payload: dict[str, Any] = self.callbacks(job_id)[-1].json()
        return payload


def encoded(**options: Any) -> str:
    """A small picture as base64."""
    return base64.b64encode(picture(**options)).decode()


@pytest.fixture
def service(stack: StackInfo, receiver: Receiver, openai: OpenAIStandIn) -> Iterator[Service]:
    """The service, with a fresh receiver and a fresh OpenAI."""
    with httpx2.Client(base_url=stack.api_url, timeout=PATIENCE) as http:
        yield Service(http, receiver)


@pytest.fixture
def input_folder(stack: StackInfo, request: pytest.FixtureRequest) -> Iterator[Callable[..., str]]:
    """Fills a folder of the input bucket of the test's own; answers the `prefix` that a batch takes."""
    s3, folder = stack.images_client(), str(request.node.name).replace("[", "-").replace("]", "")
    names: list[str] = []

    def fill(**files: bytes) -> str:
        for name, body in files.items():
            key = f"{folder}/{name.replace('__', '/').replace('_', '.')}"
            s3.put_object(Bucket=stack.input_bucket, Key=key, Body=body)
            names.append(key)
        return folder

    yield fill
    for key in names:
        s3.delete_object(Bucket=stack.input_bucket, Key=key)
