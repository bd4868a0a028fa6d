"""A job's record in the jobs bucket, under `jobs/{job_id}/`. Objects here are the service's only memory of a job,
beside the Step Functions execution that bears its id.

| object           | written                                            | by            |
|------------------|----------------------------------------------------|---------------|
| request.json     | once, when the job is accepted                     | accept        |
| input            | once, with the request (base64 jobs)               | accept        |
| result           | once, by a base64 job                              | process_image |
| manifest.jsonl   | once, by a batch                                   | batch_fanout  |
| map-runs/…       | by the Distributed Map's ResultWriter              | Step Functions|
| callback.json    | once: the payload that is sent, whoever decides it | callback, accept (cancel) |
| delivery.json    | at each delivery attempt                           | callback, accept (redeliver) |
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from imagejobs.errors import StorageRejectedError, StorageUnavailableError
from imagejobs.storage import Bucket
from imagejobs.workflow import Operation

_JSON = "application/json"


class JobRequest(BaseModel):
    """What a caller asked for, as accepted."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    job_id: str
    operation: Operation
    prompt: str
    callback_url: str
    correlation_id: str
    created_at: AwareDatetime
    # A digest of route, body and callback URL: tells a repeated Idempotency-Key from a misused one.
    fingerprint: str
    filename: str | None = None
    # Where a single image comes from when it was not posted: an upload's key in the jobs bucket, or a URL.
    image_key: str | None = None
    image_url: str | None = None
    # Batch choices: a folder below the configured prefix, how many files at the most, a segment of the output prefix.
    prefix: str | None = None
    max_files: int | None = None
    output_prefix: str | None = None


class Delivery(BaseModel):
    """How the delivery of the callback stands. `round` counts redeliveries; `attempts` counts over all rounds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    status: Literal["pending", "delivered", "dead_lettered"] = "pending"
    attempts: Annotated[int, Field(ge=0)] = 0
    last_error: str | None = None
    round: Annotated[int, Field(ge=0)] = 0
    updated_at: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True)
class Decided:
    """A job's decided payload: the bytes that every delivery sends."""

    body: bytes
    decided_at: datetime


@dataclass(frozen=True)
class Decision:
    """That a job is decided: its payload's size in bytes, and when."""

    size: int
    decided_at: datetime


class JobStore:
    """The records of the jobs. All methods raise the errors of `Bucket`."""

    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket

    @staticmethod
    def key(job_id: str, name: str) -> str:
        """The key of one of a job's objects."""
        return f"jobs/{job_id}/{name}"

    def create(self, request: JobRequest) -> bool:
        """Record a request; False when one of that id is recorded already."""
        body = request.model_dump_json(exclude_none=True).encode()
        return self.bucket.put(self.key(request.job_id, "request.json"), body, _JSON, if_absent=True)

    def request(self, job_id: str) -> JobRequest | None:
        """Read a job's request; None for an unknown job."""
        found = self.bucket.read(self.key(job_id, "request.json"))
        return JobRequest.model_validate_json(found.body) if found else None

    def recorded(self, job_id: str) -> JobRequest:
        """Read the request of a job that must be known; a StorageRejectedError when its record has expired."""
        request = self.request(job_id)
        if request is None:
            raise StorageRejectedError(f"no record of job {job_id} in bucket {self.bucket.name!r}: it may have expired")
        return request

    def forget(self, job_id: str) -> None:
        """Delete the record of a job that could not be started."""
        self.bucket.delete(self.key(job_id, "request.json"))

    def put_input(self, job_id: str, image: bytes, content_type: str) -> None:
        """Keep the posted image."""
        self.bucket.put(self.key(job_id, "input"), image, content_type)

    def decide(self, job_id: str, payload: bytes) -> Decided:
        """Decide the job's payload, unless it is decided already: the first decision is the one that is returned."""
        decided_at = datetime.now(UTC)
        metadata = {"decided-at": decided_at.isoformat()}
        if self.bucket.put(self.key(job_id, "callback.json"), payload, _JSON, metadata=metadata, if_absent=True):
            return Decided(payload, decided_at)
        earlier = self.decided(job_id)
        if earlier is None:
            raise StorageRejectedError(f"the decided payload of job {job_id} is gone from bucket {self.bucket.name!r}")
        return earlier

    def decided(self, job_id: str) -> Decided | None:
        """Read the decided payload; None while the job has no result."""
        found = self.bucket.read(self.key(job_id, "callback.json"))
        return Decided(found.body, datetime.fromisoformat(found.metadata["decided-at"])) if found else None

    def decision(self, job_id: str) -> Decision | None:
        """Look at the decided payload without reading it, since a base64 job's holds the image."""
        found = self.bucket.find(self.key(job_id, "callback.json"))
        return Decision(found.size, datetime.fromisoformat(found.metadata["decided-at"])) if found else None

    def is_decided(self, job_id: str) -> bool:
        """Tell whether the job has its result."""
        return self.decision(job_id) is not None

    def delivery(self, job_id: str) -> tuple[Delivery, str | None]:
        """Read how the delivery stands, with the ETag that `put_delivery` takes; a fresh one when none was tried."""
        found = self.bucket.read(self.key(job_id, "delivery.json"))
        return (Delivery.model_validate_json(found.body), found.etag) if found else (Delivery(), None)

    def put_delivery(self, job_id: str, delivery: Delivery, *, if_etag: str | None) -> bool:
        """Write how the delivery stands; False when it changed since `delivery` gave `if_etag` (None: since absent)."""
        body = delivery.model_dump_json(exclude_none=True).encode()
        key = self.key(job_id, "delivery.json")
        return self.bucket.put(key, body, _JSON, if_etag=if_etag, if_absent=if_etag is None)

    def update_delivery(
        self,
        job_id: str,
        change: Callable[[Delivery], Delivery | None],
        known: tuple[Delivery, str | None] | None = None,
    ) -> Delivery:
        """Change how the delivery stands, whoever else does so meanwhile; `change` gives None to leave it as it is.

        `known` is what `delivery` gave a moment ago, and saves reading it once more.

        Raises:
            StorageUnavailableError: others kept changing it.
        """
        for _ in range(5):
            delivery, etag = known or self.delivery(job_id)
            known = None
            changed = change(delivery)
            if changed is None:
                return delivery
            if self.put_delivery(job_id, changed, if_etag=etag):
                return changed
        raise StorageUnavailableError(f"the delivery of job {job_id} is being changed by others")
