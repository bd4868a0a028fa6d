"""The delivery of a job's payload: attempts, the dead letter when they run out, the last word when all else failed.

Retries are the state machine's. What is recorded in `delivery.json` keeps a repeated call from sending twice.
"""

import json
from dataclasses import dataclass

from aws_lambda_powertools import Logger, Metrics

from functions.callback.attempt import Attempt, attempt
from functions.callback.payload import PayloadBuilder
from functions.callback.settings import CallbackSettings, SigningSecrets
from functions.callback.signing import signed_headers
from imagejobs.errors import ConfigurationError, JobError
from imagejobs.executions import ExecutionName
from imagejobs.job_request import JobRequest
from imagejobs.job_store import Delivery, DeliveryStatus, JobStore, Payload
from imagejobs.observability import loggable_error, loggable_failure, loggable_stack, loggable_url
from imagejobs.outbound.network import NETWORK, Network
from imagejobs.resources import Resources
from imagejobs.secrets import read_secrets
from imagejobs.workflow import Outcome


@dataclass(frozen=True)
class DeliveryService:
    """Delivers payloads."""

    resources: Resources[CallbackSettings]
    logger: Logger
    metrics: Metrics
    network: Network = NETWORK

    def deliver(self, job_id: str, outcome: Outcome, retries: int = 0) -> Delivery:
        """Make one attempt to deliver; nothing is sent when this round of delivery has ended already.

        Raises:
            CallbackGoneError, CallbackRefusedError: further attempts would not help.
            JobError: any other, for the state machine to try again.
        """
        request = self._request(job_id)
        delivery = self.store.get_delivery(job_id)
        if delivery.status != "pending":
            # The state machine asks again when it lost our answer, too.
            self.logger.info("nothing to deliver", extra={"delivery": delivery.status})
            return delivery
        payload = self._payload(request, outcome)
        if request.callback_url is None:
            return self._record(job_id, delivery, "not_requested", None)
        result = self._attempt(request, request.callback_url, payload.body)
        self._report(request.callback_url, result, retries)
        recorded = self._record(job_id, delivery, "pending" if result.error else "delivered", result.error)
        if result.error:
            raise result.error
        return recorded

    def dead_letter(self, job_id: str, error: str) -> Delivery:
        """Give a delivery up: one message to the dead-letter queue, unless this round of delivery has ended already."""
        request = self._request(job_id)
        delivery = self.store.get_delivery(job_id)
        if delivery.status != "pending":
            self.logger.info("no dead letter", extra={"delivery": delivery.status})
            return delivery
        if not self.store.has_payload(job_id):
            self.store.decide(job_id, self._builder.ended(request, error))
        if request.callback_url is None:
            return self._record(job_id, delivery, "not_requested", None)
        message = {
            "job_id": job_id,
            "callback_url": loggable_url(request.callback_url),
            "error": error,
            "attempts": delivery.attempts,
            "payload": {"bucket": self.store.bucket.name, "key": self.store.key(job_id, "callback.json")},
            "correlation_id": request.correlation_id,
        }
        self.resources.clients.sqs.send_message(
            QueueUrl=self.settings.dead_letter_queue_url, MessageBody=json.dumps(message)
        )
        self.metrics.add_metric("CallbacksDeadLettered", "Count", 1)
        self.logger.error("delivery given up", extra={"attempts": delivery.attempts, "error": loggable_failure(error)})
        return self._record(job_id, delivery, "dead_lettered", error)

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
        if not self.store.has_payload(job_id):
            self.store.decide(job_id, self._builder.ended(request, error))
        delivery = self.store.get_delivery(job_id)
        if delivery.status != "pending" or delivery.round != name.round:
            return False  # delivered or given up already, or a later round has taken over
        if name.kind == "job" and request.callback_url is not None:
            self.resources.executions.start(ExecutionName(job_id, "last-word"), "deliver")
            self.logger.info("a further execution delivers", extra={"error": loggable_failure(error)})
        else:
            self.dead_letter(job_id, error)
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

    @property
    def _signing_keys(self) -> str:
        secrets = read_secrets(self.resources.clients.secrets, self.settings.signing_secret_arn, SigningSecrets)
        return secrets.callback_signing_key.get_secret_value()

    def _request(self, job_id: str) -> JobRequest:
        request = self.store.get_request(job_id)
        self._mark_log(request)
        return request

    def _mark_log(self, request: JobRequest) -> None:
        self.logger.append_keys(job_id=request.job_id, correlation_id=request.correlation_id)

    def _payload(self, request: JobRequest, outcome: Outcome) -> Payload:
        """The payload that was decided, by this call or before it."""
        found = self.store.find_payload(request.job_id)
        return found or self.store.decide(request.job_id, self._builder.build(request, outcome))

    def _attempt(self, request: JobRequest, url: str, body: bytes) -> Attempt:
        try:
            headers = signed_headers(self._signing_keys, request.job_id, body)
        except ConfigurationError as error:
            return Attempt(milliseconds=0, error=error)
        return attempt(
            self.settings.delivery_url(url),
            body,
            {**headers, "x-correlation-id": request.correlation_id},
            self.settings.callback_policy,
            self.settings.callback_timeout_seconds,
            self.network,
        )

    def _report(self, url: str, result: Attempt, retries: int) -> None:
        self.metrics.add_metric("CallbacksFailed" if result.error else "CallbacksDelivered", "Count", 1)
        self.metrics.add_metric("CallbackLatency", "Milliseconds", result.milliseconds)
        log = self.logger.warning if result.error else self.logger.info
        log(
            "callback failed" if result.error else "callback delivered",
            extra={
                "attempt": retries + 1,
                "max_attempts": self.settings.callback_max_retries,
                "status": result.status,
                "ms": result.milliseconds,
                "receiver": loggable_url(url),
                "error": loggable_error(result.error) if result.error else None,
            },
        )

    def _record(
        self,
        job_id: str,
        before: Delivery,
        status: DeliveryStatus,
        error: JobError | str | None,
    ) -> Delivery:
        """Record how an attempt or the delivery ended. What was sent stays sent if that cannot be written."""
        text = f"{type(error).__name__}: {error}" if isinstance(error, JobError) else error
        tried = 1 if status in ("pending", "delivered") else 0

        def change(now: Delivery) -> Delivery | None:
            if now.round != before.round or now.status == "delivered":
                return None
            ended = now.status if status == "pending" else status
            return now.model_copy(update={"status": ended, "attempts": now.attempts + tried, "last_error": text})

        try:
            return self.store.update_delivery(job_id, change, before)
        except JobError as failed:
            extra = {"error": loggable_error(failed), "stack": loggable_stack(failed)}
            self.logger.error("the record of the delivery could not be written", extra=extra)
            return before.model_copy(update={"status": status, "last_error": text})
