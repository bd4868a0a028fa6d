"""The account of the integration tests: moto in this process, with the stack's buckets, secrets and state machine."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import boto3
import httpx2
import pytest
from moto import mock_aws
from moto.server import ThreadedMotoServer

from imagejobs.executions import Executions
from imagejobs.job_store import JobStore
from imagejobs.storage import Bucket
from standins.openai import OpenAIStandIn
from standins.receiver import Receiver
from tests.support.sockets import Serve, serving

REGION = "us-east-1"
SECRETS = {
    "OPENAI_API_KEY": "sk-test",
    "COS_ACCESS_KEY_ID": "",
    "COS_SECRET_ACCESS_KEY": "",
    "WORKSHOP_TOKEN": "",
}
SIGNING_SECRETS = {"CALLBACK_SIGNING_KEY": "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
_PASS = {"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}


@pytest.fixture(scope="session")
def sdk() -> boto3.Session:
    """One session of the SDK for all tests: a new one reads the services' descriptions anew, 0.2 s for S3 alone."""
    return boto3.Session("testing", "testing", "testing")


@pytest.fixture(scope="session")
def clients(sdk: boto3.Session) -> dict[str, Any]:
    """The clients that make every test's stack: to make them anew takes longer than what they do."""
    return {name: sdk.client(name, REGION) for name in ("s3", "secretsmanager", "stepfunctions", "sqs")}


@pytest.fixture
def aws(sdk: boto3.Session, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty account, with the credentials and region in the environment."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws(), patch.object(boto3, "DEFAULT_SESSION", sdk):
        yield


@pytest.fixture
def stack(aws: None, clients: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The stack's resources, and the environment that its template gives every function."""
    for bucket in ("jobs", "input", "output"):
        clients["s3"].create_bucket(Bucket=bucket)
    manager = clients["secretsmanager"]
    secret = manager.create_secret(Name="secrets", SecretString=json.dumps(SECRETS))
    signing = manager.create_secret(Name="signing", SecretString=json.dumps(SIGNING_SECRETS))
    machine = clients["stepfunctions"].create_state_machine(
        name="image-job", definition=json.dumps(_PASS), roleArn="arn:aws:iam::123456789012:role/image-job"
    )
    queue = clients["sqs"].create_queue(QueueName="dead-letters")
    environment = {
        "JOBS_BUCKET": "jobs",
        "COS_INPUT_BUCKET": "input",
        "COS_OUTPUT_BUCKET": "output",
        "SECRET_ARN": secret["ARN"],
        "SIGNING_SECRET_ARN": signing["ARN"],
        "STATE_MACHINE_ARN": machine["stateMachineArn"],
        "DEAD_LETTER_QUEUE_URL": queue["QueueUrl"],
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return environment


@pytest.fixture
def store(stack: dict[str, str]) -> JobStore:
    """The records of the jobs."""
    return JobStore(Bucket(boto3.client("s3"), "jobs"))


@pytest.fixture
def executions(stack: dict[str, str]) -> Executions:
    """The executions of the stack's state machine."""
    return Executions(boto3.client("stepfunctions"), stack["STATE_MACHINE_ARN"])


@pytest.fixture(scope="session")
def moto_server() -> Iterator[str]:
    """Moto as a server, by its URL. All of a process's moto has one state: in a test's own process it is `aws`'s."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@dataclass(frozen=True)
class Account:
    """An account behind a server, which other processes can reach and which decides races as S3 does."""

    url: str

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a process that works in it."""
        keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": REGION}
        return {"AWS_ENDPOINT_URL": self.url, **keys}

    def client(self, service: str) -> Any:
        """A client for it."""
        return boto3.Session("testing", "testing", region_name=REGION).client(service, endpoint_url=self.url)  # type: ignore[call-overload]


@pytest.fixture
def account(moto_server: str, http: httpx2.Client) -> Account:
    """An empty account behind a server."""
    http.post(f"{moto_server}/moto-api/reset").raise_for_status()
    return Account(moto_server)


@pytest.fixture
def openai() -> Iterator[OpenAIStandIn]:
    """OpenAI's stand-in, which answers at once."""
    with OpenAIStandIn(latency=0) as running:
        yield running


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver of callbacks."""
    with Receiver() as running:
        yield running


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts servers that misbehave."""
    with serving() as start:
        yield start
