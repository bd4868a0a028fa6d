"""The callback function as it is deployed: a stack in moto, and receivers that record what they get."""

import base64
import json
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from functions.callback import app
from functions.callback.settings import CallbackSettings
from imagejobs.executions import Executions
from imagejobs.job_store import JobRequest, JobStore
from imagejobs.resources import Clients, Resources
from imagejobs.storage import Bucket
from imagejobs.workflow import BatchSummary

EVENTS = Path(__file__).parents[3] / "events" / "callback"
# The job of every event under events/callback.
JOB = "7c1e0c9a-5d1f-4a6e-9a54-0d6f5f1b2c3d"
KEYS = ["whsec_" + base64.b64encode(letter * 32).decode() for letter in (b"a", b"b")]
REGION = "eu-central-1"
CONTEXT = SimpleNamespace(
    function_name="callback", memory_limit_in_mb=1024, invoked_function_arn="arn", aws_request_id="request"
)


class World:
    """A stack in moto, and the function's resources made for it."""

    def __init__(self, aws, clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
        self.aws, self.clients = aws, clients
        self.environment: dict[str, str] = {}
        self.s3 = aws("s3")
        for bucket in ("jobs", "output"):
            self.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        self.sqs = aws("sqs")
        self.queue_url = self.sqs.create_queue(QueueName="dead-letters")["QueueUrl"]
        machine = aws("stepfunctions").create_state_machine(
            name="image-job",
            definition=json.dumps({"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}),
            roleArn="arn:aws:iam::123456789012:role/any",
        )
        self.monkeypatch = monkeypatch
        self.configure(
            JOBS_BUCKET="jobs",
            SECRET_ARN=self.secret({"CALLBACK_SIGNING_KEY": " ".join(KEYS)}),
            COS_OUTPUT_BUCKET="output",
            DEAD_LETTER_QUEUE_URL=self.queue_url,
            STATE_MACHINE_ARN=machine["stateMachineArn"],
            CALLBACK_ALLOW_HTTP="true",
            CALLBACK_ALLOW_PRIVATE="true",
            CALLBACK_TIMEOUT_SECONDS="1",
        )
        self.store = JobStore(Bucket(self.s3, "jobs"))
        self.executions = Executions(aws("stepfunctions"), machine["stateMachineArn"])

    def secret(self, members: dict[str, str]) -> str:
        created = self.aws("secretsmanager").create_secret(Name=str(uuid.uuid4()), SecretString=json.dumps(members))
        return created["ARN"]

    def configure(self, **environment: str) -> None:
        self.environment |= environment
        resources = Resources(CallbackSettings.from_environment(self.environment), self.clients)
        self.monkeypatch.setattr(app, "resources", lambda: resources)

    def job(self, url: str, operation: str = "base64", job_id: str = JOB, **more) -> str:
        self.store.create(
            JobRequest(
                job_id=job_id,
                operation=operation,
                prompt="secret prompt",
                callback_url=url,
                correlation_id="correlation-1",
                created_at=datetime.now(UTC) - timedelta(seconds=5),
                **more,
            )
        )
        return job_id

    def summary(self, errors: list[str], **counts: int) -> None:
        """Leave what SummarizeBatch leaves, with the counts of the event deliver-batch."""
        summary = event("deliver-batch")["outcome"]["summary"] | counts
        self.store.put_summary(JOB, BatchSummary(**summary, errors=errors))

    def started(self) -> set[str]:
        arn = self.executions.state_machine_arn
        return {entry["name"] for entry in self.executions.client.list_executions(stateMachineArn=arn)["executions"]}

    def dead_letters(self) -> list[dict]:
        messages = self.sqs.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(message["Body"]) for message in messages]


class Inbox:
    """Requests that a receiver took, with a status for each in turn; the last one for all that follow."""

    def __init__(self, serve, *statuses: int) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.receiver = serve(*[self._answering(status) for status in statuses or (200,)])
        self.url = self.receiver.url

    def _answering(self, status: int):
        def behaviour(connection, head):
            lines = head.decode().split("\r\n")[1:-2]
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            body = b""
            while len(body) < int(headers["content-length"]):
                body += connection.recv(1 << 20)
            self.requests.append((headers, body))
            connection.sendall(f"HTTP/1.1 {status} Whatever\r\nContent-Length: 0\r\n\r\n".encode())

        return behaviour


def event(name: str) -> dict:
    return json.loads((EVENTS / f"{name}.json").read_text())


def invoke(name: str, **changes) -> dict | None:
    return app.handler({**event(name), **changes}, CONTEXT)
