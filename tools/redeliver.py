"""Redeliver what waits on the dead-letter queue: `python -m tools.redeliver` (docs/delivery.md, "Dead letters").

Each dead letter's callback is sent again, by the same state machine and with its retries. The letters of what was
delivered are removed. What failed again left a new letter, which takes the old one's place; the rest stays as it is.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from functions.accept.http.problems import ProblemError
from functions.accept.jobs.steer import DeliveryUnderWayError, redeliver
from imagejobs.executions import ExecutionName, Executions
from imagejobs.job_store import JobStore
from tools.stack import DEFAULT_STACK, StackFile, StackName, connect, run

if TYPE_CHECKING:
    from mypy_boto3_sqs.client import SQSClient

# Letters that are redelivered at the same time.
AT_ONCE = 50
_POLL_SECONDS = 0.5
_WAIT_SECONDS = 1
# How much longer than its redelivery a letter stays hidden from other readers of the queue.
_MARGIN_SECONDS = 60


class Fate(Enum):
    """What became of a dead letter."""

    DELIVERED = "delivered"
    FAILED_AGAIN = "failed again"
    STILL_TRYING = "still being tried"
    NOT_POSSIBLE = "not possible"


@dataclass
class Letter:
    """One message of the queue and what became of it."""

    handle: str
    job_id: str
    fate: Fate | None = None
    note: str = ""


@dataclass
class Redeliverer:
    """Redelivers a queue, letting each redelivery take `patience` seconds."""

    queue: "SQSClient"
    queue_url: str
    store: JobStore
    executions: Executions
    patience: float
    letters: dict[str, Letter] = field(default_factory=dict)
    _stays: list[Letter] = field(default_factory=list)

    def run(self) -> list[Letter]:
        """Redeliver every letter that waits, a job once; returns them with their fates."""
        try:
            while batch := self._new_letters():
                self._redeliver(batch)
        finally:
            # What stays on the queue is for others to see at once, not when its time of being hidden is over.
            for letter in self._stays:
                self.queue.change_message_visibility(
                    QueueUrl=self.queue_url, ReceiptHandle=letter.handle, VisibilityTimeout=0
                )
        return list(self.letters.values())

    def _new_letters(self) -> list[Letter]:
        """Receive letters of jobs that this run has not tried: not those that came from trying."""
        batch = []
        for letter in self._receive(AT_ONCE):
            # A message that names no job is told by its handle.
            if self.letters.setdefault(letter.job_id or letter.handle, letter) is letter:
                batch.append(letter)
            else:
                self._stays.append(letter)
        return batch

    def _receive(self, count: int) -> Iterator[Letter]:
        while count > 0:
            answer = self.queue.receive_message(
                QueueUrl=self.queue_url,
                MaxNumberOfMessages=min(10, count),
                VisibilityTimeout=min(43_200, int(self.patience) + _MARGIN_SECONDS),
                # A wait has SQS ask all of its servers, so that an empty answer means an empty queue.
                WaitTimeSeconds=_WAIT_SECONDS,
            )
            messages = answer.get("Messages", [])
            for message in messages:
                yield Letter(message["ReceiptHandle"], _job_id(message["Body"]))
            if not messages:
                return
            count -= len(messages)

    def _redeliver(self, batch: list[Letter]) -> None:
        for letter in batch:
            self._start(letter)
        deadline = time.monotonic() + self.patience
        while waiting := [letter for letter in batch if letter.fate is None]:
            for letter in waiting:
                letter.fate = self._fate(letter)
            if time.monotonic() > deadline:
                for letter in waiting:
                    letter.fate = letter.fate or Fate.STILL_TRYING
                break
            time.sleep(_POLL_SECONDS)
        for letter in batch:
            if letter.fate in (Fate.DELIVERED, Fate.FAILED_AGAIN):
                self.queue.delete_message(QueueUrl=self.queue_url, ReceiptHandle=letter.handle)
            else:
                self._stays.append(letter)

    def _start(self, letter: Letter) -> None:
        if not letter.job_id:
            letter.fate, letter.note = Fate.NOT_POSSIBLE, "the message names no job"
        elif self.store.find_request(letter.job_id) is None:
            letter.fate, letter.note = Fate.NOT_POSSIBLE, "there is no such job: records are deleted after some days"
        elif self.store.get_delivery(letter.job_id).status == "delivered":
            letter.fate, letter.note = Fate.DELIVERED, "before, by another redelivery"
        else:
            try:
                redeliver(letter.job_id, self.store, self.executions)
            except DeliveryUnderWayError:
                pass  # its end is waited for like that of one that began here
            except ProblemError as problem:
                letter.fate, letter.note = Fate.NOT_POSSIBLE, problem.detail

    def _fate(self, letter: Letter) -> Fate | None:
        delivery = self.store.get_delivery(letter.job_id)
        letter.note = delivery.last_error or ""
        match delivery.status:
            case "delivered":
                return Fate.DELIVERED
            case "dead_lettered" | "not_requested":
                return Fate.FAILED_AGAIN
            case "pending":
                return None


def _job_id(body: str) -> str:
    """The job of a message: a delivery's dead letter, or an event that EventBridge or Lambda could not get handled."""
    try:
        message = json.loads(body)
        event = message.get("requestPayload", message)
        name = ExecutionName.parse(event["detail"]["name"]) if "detail" in event else None
        return name.job_id if name else str(message.get("job_id", ""))
    except (ValueError, AttributeError, KeyError, TypeError):
        return ""


def main(
    stack_name: StackName = DEFAULT_STACK,
    stack_file: StackFile = None,
    patience: Annotated[float, typer.Option(min=1, help="Seconds to wait for each redelivery.")] = 60,
) -> None:
    """Redeliver the dead-letter queue; ends with 1 when something stays on it."""
    stack = connect(stack_name, stack_file)
    own = stack.resources
    letters = Redeliverer(own.clients.sqs, stack.dead_letter_queue_url, own.jobs, own.executions, patience).run()
    if not letters:
        typer.echo("no dead letters: there is nothing to redeliver")
        return
    title = f"{len(letters):,} dead letter{'' if len(letters) == 1 else 's'}"
    table = Table(Column("job", no_wrap=True), "fate", "note", title=title)
    for letter in letters:
        table.add_row(letter.job_id or "?", (letter.fate or Fate.STILL_TRYING).value, letter.note)
    Console().print(table)
    if any(letter.fate is not Fate.DELIVERED for letter in letters):
        raise typer.Exit(1)


if __name__ == "__main__":
    run(main)
