"""The delivery of a job's payload: attempts, the dead letter when they run out, the last word when all else failed.

Retries are the state machine's. What is recorded in `delivery.json` keeps a repeated call from sending twice. A worker
may die between what it sends and what it records, so the state machine itself sends the dead letter, between two calls.
A worker goes on when its execution is stopped, so each attempt is made under a lease, which the last word waits for.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from aws_lambda_powertools import Logger, Metrics

from functions.callback.attempt import Attempt
from functions.callback.payload import PayloadBuilder
from functions.callback.posting import Poster
from functions.callback.settings import CallbackSettings
from imagejobs.errors import (
    CallbackGoneError,
    CallbackUnderWayError,
    JobError,
    PayloadGoneError,
    StorageRejectedError,
    StorageUnavailableError,
)
from imagejobs.executions import ExecutionName
from imagejobs.job_request import JobRequest
from imagejobs.job_store import Delivery, DeliveryStatus, JobStore, Payload, Posting
from imagejobs.observability import loggable_error, loggable_failure, loggable_stack, loggable_url
from imagejobs.outbound.network import NETWORK, Network
from imagejobs.resources import Resources
from imagejobs.workflow import GivenUp, Outcome

# How much longer than an attempt its lease lasts: for reading the signing key before it, and for recording it. It is
# what the function's timeout leaves beside the longest attempt, so that no worker outlives the longest lease.
LEASE_MARGIN_SECONDS = 60
_UNDER_WAY = "another execution posts the callback at this moment"


@dataclass(frozen=True)
class DeliveryService:
    """Delivers payloads."""

    resources: Resources[CallbackSettings]
    logger: Logger
    metrics: Metrics
    network: Network = NETWORK

    def deliver(self, job_id: str, outcome: Outcome, execution: str = "") -> Delivery:
        """Make one attempt to deliver; nothing is sent when this round of delivery has ended already.

        Raises:
            CallbackGoneError, CallbackRefusedError, PayloadGoneError: further attempts would not help.
            CallbackUnderWayError: another execution than this one posts at this moment.
            JobError: any other, for the state machine to try again.
        """
        request, delivery = self._open(job_id)
        if request is None or _has_ended(delivery, execution):
            # The state machine asks again when it lost our answer, too.
            self.logger.info("nothing to deliver", extra={"delivery": delivery.status})
            return delivery
        payload = self._payload(request, delivery, outcome)
        if request.callback_url is None:
            return self._record(job_id, delivery, "not_requested", None)
        if delivery.giving_up:
            raise CallbackGoneError("the delivery was given up before, and its dead letter is on its way")
        leased = self._lease(job_id, delivery, execution)
        # The same id on every attempt, so that a receiver can tell a repetition.
        result = Poster(self.resources, self.network).post(request, request.callback_url, job_id, payload.body)
        self._report(request.callback_url, result, leased.attempts + 1)
        recorded = self._record(job_id, leased, "pending" if result.error else "delivered", result.error)
        if result.error:
            raise result.error
        return recorded

    def give_up(self, job_id: str, error: str, execution: str | None = None) -> GivenUp:
        """Decide that no further attempt is made in this round of delivery; answers the dead letter to send.

        It answers none when the round has ended already. Called again before `record_dead_letter`, it answers the
        letter again: whoever called before may not have lived to send it.

        Raises:
            CallbackUnderWayError: another execution than this one posts at this moment, and may deliver.
            StorageUnavailableError: the delivery is being changed at this moment.
        """
        request, delivery = self._open(job_id)
        if request is None or _has_ended(delivery, execution):
            self.logger.info("no dead letter", extra={"delivery": delivery.status})
            return GivenUp()
        self._decide_end(request, delivery, error)
        if request.callback_url is None:
            self._record(job_id, delivery, "not_requested", None)
            return GivenUp()
        if delivery.is_posted_by_another(execution):
            raise CallbackUnderWayError(_UNDER_WAY)
        # The attempt that is recorded meanwhile, perhaps as delivered, wins.
        given_up = delivery.model_copy(update={"giving_up": True, "last_error": error, "posting": None})
        if not self.store.put_delivery(job_id, given_up):
            raise StorageUnavailableError(f"the delivery of job {job_id} is being changed by others")
        letter = {
            "job_id": job_id,
            "callback_url": loggable_url(request.callback_url),
            "error": error,
            "attempts": delivery.attempts,
            "payload": {"bucket": self.store.bucket.name, "key": self.store.key(job_id, "callback.json")},
            "correlation_id": request.correlation_id,
        }
        self.logger.error("delivery given up", extra={"attempts": delivery.attempts, "error": loggable_failure(error)})
        return GivenUp(letter=json.dumps(letter))

    def record_dead_letter(self, job_id: str) -> Delivery:
        """Record that the dead letter is on the queue, unless this was recorded, or a redelivery began meanwhile."""
        request, before = self._open(job_id)
        if request is None or not before.giving_up:
            return before

        def change(now: Delivery) -> Delivery | None:
            ended = now.model_copy(update={"status": "dead_lettered", "giving_up": False})
            return ended if now.giving_up and now.status == "pending" else None

        recorded = self.store.update_delivery(job_id, change, before)
        self.metrics.add_metric("CallbacksDeadLettered", "Count", 1)
        return recorded

    def last_word(self, name: ExecutionName, error: str) -> bool:
        """See to the delivery of a job whose execution ended without doing so; `error` says how it ended.

        A job's own execution is followed by one that delivers, with all its retries. If that one ends so as well, the
        delivery is given up, so that nothing goes round in circles. Returns whether anything was left to do.
        """
        job_id = name.job_id
        request = self.store.find_request(job_id)
        if request is None:
            self.logger.warning("an execution of an unknown job ended", extra={"execution": str(name)})
            return False
        self._mark_log(request)
        delivery = self.store.get_delivery(job_id)
        if _has_ended(delivery, str(name)):
            return False
        self._decide_end(request, delivery, error)
        if name.kind == "job" and not delivery.giving_up and (request.callback_url or request.operation == "batch"):
            operation = "report_and_deliver" if request.operation == "batch" else "deliver"
            self.resources.executions.start(ExecutionName(job_id, "last-word"), operation)
            self.logger.info("a further execution delivers", extra={"error": loggable_failure(error)})
        else:
            self._dead_letter(job_id, error)
        return True

    @property
    def store(self) -> JobStore:
        """The records of the jobs."""
        return self.resources.jobs

    @property
    def settings(self) -> CallbackSettings:
        """The function's settings."""
        return self.resources.settings

    @property
    def _builder(self) -> PayloadBuilder:
        return PayloadBuilder(self.resources, self.logger)

    def _dead_letter(self, job_id: str, error: str) -> None:
        """Give a delivery up and send its dead letter from here: no execution is left to send it."""
        letter = self.give_up(job_id, error).letter
        if letter is None:
            return
        self.resources.clients.sqs.send_message(QueueUrl=self.settings.dead_letter_queue_url, MessageBody=letter)
        try:
            self.record_dead_letter(job_id)
        except JobError as failed:  # to be called again for this would send a second letter
            self._unrecorded(failed)

    def _open(self, job_id: str) -> tuple[JobRequest | None, Delivery]:
        """Read a job's request, and how its delivery stands. An erased job has no request, and nothing to deliver."""
        try:
            request = self.store.get_request(job_id)
        except StorageRejectedError:
            erasure = self.store.find_erasure(job_id)
            if erasure is None:
                raise
            self.logger.info("the job was erased", extra={"job_id": job_id})
            return None, erasure.delivery
        self._mark_log(request)
        return request, self.store.get_delivery(job_id)

    def _mark_log(self, request: JobRequest) -> None:
        self.logger.append_keys(job_id=request.job_id, correlation_id=request.correlation_id)

    def _payload(self, request: JobRequest, delivery: Delivery, outcome: Outcome) -> Payload:
        """The payload that was decided, by this call or before it."""
        if found := self.store.find_payload(request.job_id):
            return found
        if delivery.etag is not None:
            raise PayloadGoneError("the payload of the callback was decided, and is gone from the jobs bucket")
        return self.store.decide(request.job_id, self._builder.build(request, outcome))

    def _decide_end(self, request: JobRequest, delivery: Delivery, error: str) -> None:
        """Decide the payload of a job that `error` ended, unless it was decided before a delivery that is stored."""
        if delivery.etag is None and not self.store.has_payload(request.job_id):
            self.store.decide(request.job_id, self._builder.ended(request, error))

    def _lease(self, job_id: str, delivery: Delivery, execution: str) -> Delivery:
        """Keep other executions from posting while this one does.

        It takes its own lease over: Step Functions makes one attempt at a time, so the worker before it is dead.
        """
        until = datetime.now(UTC) + timedelta(seconds=self.settings.callback_timeout_seconds + LEASE_MARGIN_SECONDS)
        leased = delivery.model_copy(update={"posting": Posting(owner=execution, until=until)})
        if delivery.is_posted_by_another(execution) or not self.store.put_delivery(job_id, leased):
            raise CallbackUnderWayError(_UNDER_WAY)
        return leased

    def _report(self, url: str, result: Attempt, attempt: int) -> None:
        self.metrics.add_metric("CallbacksFailed" if result.error else "CallbacksDelivered", "Count", 1)
        self.metrics.add_metric("CallbackLatency", "Milliseconds", result.milliseconds)
        log = self.logger.warning if result.error else self.logger.info
        log(
            "callback failed" if result.error else "callback delivered",
            extra={
                "attempt": attempt,
                "status": result.status,
                "ms": result.milliseconds,
                "receiver": loggable_url(url),
                "error": loggable_error(result.error) if result.error else None,
            },
        )

    def _record(self, job_id: str, before: Delivery, status: DeliveryStatus, error: JobError | None) -> Delivery:
        """Record how an attempt or the delivery ended. What was sent stays sent if that cannot be written."""
        text = f"{type(error).__name__}: {error}" if error else None
        tried = 1 if status in ("pending", "delivered") else 0

        def change(now: Delivery) -> Delivery | None:
            if now.round != before.round or now.status == "delivered":
                return None
            ended = {} if status == "pending" else {"status": status, "giving_up": False}
            # When this attempt's lease ran out, another execution may have taken one.
            posting = None if now.posting == before.posting else now.posting
            tally = {"attempts": now.attempts + tried, "last_error": text, "posting": posting}
            return now.model_copy(update=tally | ended)

        try:
            return self.store.update_delivery(job_id, change)
        except JobError as failed:
            self._unrecorded(failed)
            return before.model_copy(update={"status": status, "last_error": text})

    def _unrecorded(self, failed: JobError) -> None:
        extra = {"error": loggable_error(failed), "stack": loggable_stack(failed)}
        self.logger.error("the record of the delivery could not be written", extra=extra)


def _has_ended(delivery: Delivery, execution: str | None) -> bool:
    """Tell whether a round of delivery has ended: it was delivered or given up, or a later round has taken over.

    The round is that of the execution, where its name is known.
    """
    name = ExecutionName.parse(execution or "")
    return delivery.status != "pending" or (name is not None and name.round != delivery.round)
