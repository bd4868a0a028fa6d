"""The callback function as it is deployed, and what its tests ask of the stack around it."""

import base64
import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from functions.callback import app
from functions.callback.settings import CallbackSettings
from imagejobs.executions import Executions
from imagejobs.job_store import JobStore
from imagejobs.resources import Clients, Resources
from imagejobs.workflow import BatchSummary, Operation
from local.event_jobs import JOB_ID
from tests.support.context import Context
from tests.support.event_outcomes import EVENTS
from tests.support.jobs import job_request

# The job of every event under events/callback.
JOB = JOB_ID
KEYS = ["whsec_" + base64.b64encode(letter * 32).decode() for letter in (b"a", b"b")]


class World:
    """A stack, and the function's resources made for it."""

    def __init__(
        self,
        stack: dict[str, str],
        store: JobStore,
        executions: Executions,
        clients: Clients,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        self.store, self.executions, self.clients = store, executions, clients
        self._environment, self._monkeypatch = dict(stack), monkeypatch
        self.configure(
            SIGNING_SECRET_ARN=self.secret({"CALLBACK_SIGNING_KEY": " ".join(KEYS)}),
            CALLBACK_ALLOW_HTTP="true",
            CALLBACK_ALLOW_PRIVATE="true",
            CALLBACK_TIMEOUT_SECONDS="60",
        )

    def secret(self, members: dict[str, str]) -> str:
        """Make a secret; gives its ARN."""
        created = boto3.client("secretsmanager").create_secret(Name=str(uuid.uuid4()), SecretString=json.dumps(members))
        return created["ARN"]

    def configure(self, **variables: str) -> None:
        """Change some of the function's environment, which makes its resources anew."""
        self._environment |= variables
        resources = Resources(CallbackSettings.from_environment(self._environment), self.clients)
        self._monkeypatch.setattr(app, "resources", lambda: resources)

    def job(self, url: str | None, operation: Operation = "base64", job_id: str = JOB, **fields: Any) -> str:
        """Record a job that was accepted five seconds ago and whose callback goes to `url`; gives its id."""
        accepted = {"job_id": job_id, "callback_url": url, "created_at": datetime.now(UTC) - timedelta(seconds=5)}
        self.store.create(job_request(operation, **accepted, **fields))
        return job_id

    def summary(self, errors: list[str], **counts: int) -> None:
        """Leave what SummarizeBatch leaves, with the counts of the event deliver-batch."""
        summary = event("deliver-batch")["outcome"]["summary"] | counts
        self.store.put_summary(JOB, BatchSummary(**summary, errors=errors))

    def decided(self) -> bytes:
        """The body of the job's callback, which must have been decided."""
        payload = self.store.find_payload(JOB)
        assert payload is not None
        return payload.body

    def started(self) -> set[str]:
        """The names of the executions so far."""
        arn = self.executions.state_machine_arn
        return {entry["name"] for entry in self.executions.client.list_executions(stateMachineArn=arn)["executions"]}

    def send_letter(self, letter: str) -> None:
        """Do what the state DeadLetter does."""
        self.clients.sqs.send_message(QueueUrl=self._environment["DEAD_LETTER_QUEUE_URL"], MessageBody=letter)

    def give_up(self) -> None:
        """Do what the state machine does when the attempts run out."""
        if letter := invoke("give-up")["letter"]:
            self.send_letter(letter)
            assert invoke("record-dead-letter")["status"] == "dead_lettered"

    def dead_letters(self) -> list[dict[str, Any]]:
        """What is on the dead-letter queue."""
        received = self.clients.sqs.receive_message(
            QueueUrl=self._environment["DEAD_LETTER_QUEUE_URL"], MaxNumberOfMessages=10
        )
        return [json.loads(message["Body"]) for message in received.get("Messages", [])]


def event(name: str) -> dict[str, Any]:
    """An event of events/callback."""
    found: dict[str, Any] = json.loads((EVENTS / "callback" / f"{name}.json").read_text())
    return found


def invoke(name: str, **changes: Any) -> dict[str, Any]:
    """Invoke the function with an event of events/callback; what it gives for an ended execution, None, becomes {}."""
    return app.handler({**event(name), **changes}, Context()) or {}
