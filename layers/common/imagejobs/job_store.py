"""A job's record in the jobs bucket, under `jobs/{job_id}/`: the service's only memory of a job, beside its execution.

docs/architecture.md, "What is kept where", tells which objects there are and who writes them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from imagejobs.errors import StorageRejectedError, StorageUnavailableError
from imagejobs.job_request import JobRequest
from imagejobs.storage import Bucket
from imagejobs.workflow import BatchSummary, ManifestLine, Operation

_JSON = "application/json"
# In bytes. A key has 1,024 at the most, and its JSON six characters for each of them at the worst.
MAX_MANIFEST_LINE = 8 * 1024

type DeliveryStatus = Literal["pending", "delivered", "dead_lettered", "not_requested"]


class IdempotencyClaim(BaseModel):
    """Which job an Idempotency-Key belongs to, and a digest of the request that the key was first sent with."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    job_id: str
    fingerprint: str


class Posting(BaseModel):
    """A lease on posting the callback: until then only the execution `owner` posts. A worker that dies leaves it."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    owner: str
    until: AwareDatetime


class Delivery(BaseModel):
    """How the delivery of the callback stands. `round` counts redeliveries; `attempts` counts over all rounds.

    It is stored from the first attempt on, after the payload was decided. `posting` is set while an attempt is made.

    `giving_up` says that no further attempt is made in this round: its dead letter is being sent, and the status is
    `dead_lettered` as soon as that is known to be on the queue. `redelivered_at` is when the last round began.

    A job without a receiver has none: its delivery is `not_requested`.

    `etag` is that of the stored object, None for one that is not stored yet: `put_delivery` takes a changed copy only
    when nobody else changed the object meanwhile. It is not part of the JSON.
    """

    # Objects that an earlier version wrote have one field more, updated_at.
    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    status: DeliveryStatus = "pending"
    attempts: Annotated[int, Field(ge=0)] = 0
    last_error: str | None = None
    giving_up: bool = False
    round: Annotated[int, Field(ge=0)] = 0
    redelivered_at: AwareDatetime | None = None
    posting: Posting | None = None
    etag: Annotated[str | None, Field(exclude=True)] = None

    def is_posted_by_another(self, execution: str | None) -> bool:
        """Tell whether another execution than this one may be posting at this moment; with None, any execution."""
        lease = self.posting
        return lease is not None and lease.owner != execution and lease.until > datetime.now(UTC)


class Waiting(BaseModel):
    """A single image that waits for an engine's rate limit: since when, and until it will be tried again."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    engine: str = "openai"
    since: AwareDatetime
    until: AwareDatetime


class Erasure(BaseModel):
    """What stays known of a job whose data its caller had erased."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    job_id: str
    caller: str
    operation: Operation
    created_at: AwareDatetime
    erased_at: AwareDatetime
    # Without its last error, which may tell of the receiver.
    delivery: Delivery
    # The prefixes of the image buckets under which there still is something to erase.
    outputs: str | None = None
    inputs: str | None = None


@dataclass(frozen=True)
class Payload:
    """A job's payload, which is decided once: the bytes that every delivery sends."""

    body: bytes
    decided_at: datetime


@dataclass(frozen=True)
class PayloadInfo:
    """A payload's size in bytes, and when it was decided."""

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

    def find_request(self, job_id: str) -> JobRequest | None:
        """Read a job's request; None for an unknown job."""
        found = self.bucket.find_with_body(self.key(job_id, "request.json"))
        return JobRequest.model_validate_json(found.body) if found else None

    def get_request(self, job_id: str) -> JobRequest:
        """Read the request of a job that must be known; a StorageRejectedError when its record has expired."""
        request = self.find_request(job_id)
        if request is None:
            raise StorageRejectedError(
                f"there is no record of job {job_id} in bucket {self.bucket.name!r}: it may have expired"
            )
        return request

    def claim(self, caller: str, idempotency_key: str, claim: IdempotencyClaim) -> IdempotencyClaim:
        """Claim an Idempotency-Key for a job, unless it is claimed already; returns the claim that came first.

        The object's name is a digest, so that no order number or other key of a caller's can be read from it.
        """
        key = _claim_key(caller, idempotency_key)
        if self.bucket.put(key, claim.model_dump_json().encode(), _JSON, if_absent=True):
            return claim
        earlier = self.find_claim(caller, idempotency_key)
        if earlier is None:
            raise StorageUnavailableError("the claim of an Idempotency-Key expired at this moment")
        return earlier

    def find_claim(self, caller: str, idempotency_key: str) -> IdempotencyClaim | None:
        """Read which job an Idempotency-Key belongs to; None for one that was not claimed."""
        found = self.bucket.find_with_body(_claim_key(caller, idempotency_key))
        return IdempotencyClaim.model_validate_json(found.body) if found else None

    def find_erasure(self, job_id: str) -> Erasure | None:
        """Read what stays known of an erased job; None for any other."""
        found = self.bucket.find_with_body(self.erasure_key(job_id))
        return Erasure.model_validate_json(found.body) if found else None

    def put_erasure(self, erasure: Erasure) -> None:
        """Write what stays known of an erased job."""
        body = erasure.model_dump_json(exclude_none=True).encode()
        self.bucket.put(self.erasure_key(erasure.job_id), body, _JSON)

    def erasure_key(self, job_id: str) -> str:
        """The key of what stays known of an erased job."""
        return self.key(job_id, "erased.json")

    def put_input(self, job_id: str, image: bytes, content_type: str, name: str = "input") -> None:
        """Keep an image that was sent: the one to edit, or another one under its `name`."""
        self.bucket.put(self.key(job_id, name), image, content_type)

    def copy_input(self, job_id: str, image_key: str, name: str = "input") -> bool:
        """Keep a copy of an image of this bucket: uploads are deleted after a day.

        False when the image is not there, nor the copy of an earlier call.
        """
        copy = self.key(job_id, name)
        return self.bucket.copy(image_key, copy) or self.bucket.find(copy) is not None

    def has_manifest(self, job_id: str) -> bool:
        """Tell whether a batch's images were listed."""
        return self.bucket.find(self.key(job_id, "manifest.jsonl")) is not None

    def manifest_line(self, job_id: str, at: int) -> ManifestLine:
        """Read the line of a batch's manifest that begins `at` this byte."""
        found = self.bucket.get_range(self.key(job_id, "manifest.jsonl"), at, MAX_MANIFEST_LINE)
        return ManifestLine.model_validate_json(found.partition(b"\n")[0])

    def put_summary(self, job_id: str, summary: BatchSummary) -> None:
        """Keep what a batch came to."""
        self.bucket.put(self.key(job_id, "summary.json"), summary.model_dump_json().encode(), _JSON)

    def find_summary(self, job_id: str) -> BatchSummary | None:
        """Read what a batch came to; None while it is not summed up."""
        found = self.bucket.find_with_body(self.key(job_id, "summary.json"))
        return BatchSummary.model_validate_json(found.body) if found else None

    def put_waiting(self, job_id: str, waiting: Waiting) -> None:
        """Write that the job's image waits."""
        self.bucket.put(self.key(job_id, "waiting.json"), waiting.model_dump_json().encode(), _JSON)

    def find_waiting(self, job_id: str) -> Waiting | None:
        """Read how the job's image last waited; None when it never did."""
        found = self.bucket.find_with_body(self.key(job_id, "waiting.json"))
        return Waiting.model_validate_json(found.body) if found else None

    def decide(self, job_id: str, body: bytes) -> Payload:
        """Decide the job's payload, unless it is decided already; returns the one that was decided first."""
        decided_at = datetime.now(UTC)
        metadata = {"decided-at": decided_at.isoformat()}
        if self.bucket.put(self.key(job_id, "callback.json"), body, _JSON, metadata=metadata, if_absent=True):
            return Payload(body, decided_at)
        earlier = self.find_payload(job_id)
        if earlier is None:
            raise StorageUnavailableError(f"the decided payload of job {job_id} was erased at this moment")
        return earlier

    def find_payload(self, job_id: str) -> Payload | None:
        """Read the payload; None while the job has no result."""
        found = self.bucket.find_with_body(self.key(job_id, "callback.json"))
        return Payload(found.body, datetime.fromisoformat(found.metadata["decided-at"])) if found else None

    def find_payload_info(self, job_id: str) -> PayloadInfo | None:
        """Look at the payload without reading it, since a base64 job's holds the image; None as for `find_payload`."""
        found = self.bucket.find(self.key(job_id, "callback.json"))
        return PayloadInfo(found.size, datetime.fromisoformat(found.metadata["decided-at"])) if found else None

    def has_payload(self, job_id: str) -> bool:
        """Tell whether the job has its result."""
        return self.find_payload_info(job_id) is not None

    def get_delivery(self, job_id: str) -> Delivery:
        """Read how the delivery stands; a fresh one when none was tried."""
        found = self.bucket.find_with_body(self.key(job_id, "delivery.json"))
        if not found:
            return Delivery()
        return Delivery.model_validate_json(found.body).model_copy(update={"etag": found.etag})

    def delivery_of(self, request: JobRequest) -> Delivery:
        """Read how a job's delivery stands, that of a job without a receiver before its end too."""
        delivery = self.get_delivery(request.job_id)
        return delivery if request.callback_url else delivery.model_copy(update={"status": "not_requested"})

    def put_delivery(self, job_id: str, delivery: Delivery) -> bool:
        """Write how the delivery stands; False when the stored object is another than `delivery.etag` says."""
        body = delivery.model_dump_json(exclude_none=True).encode()
        key = self.key(job_id, "delivery.json")
        return self.bucket.put(key, body, _JSON, if_etag=delivery.etag, if_absent=delivery.etag is None)

    def update_delivery(
        self, job_id: str, change: Callable[[Delivery], Delivery | None], known: Delivery | None = None
    ) -> Delivery:
        """Change how the delivery stands, whoever else does so meanwhile.

        `change` gives a changed copy, or None to leave the delivery as it is. `known` is what `get_delivery` gave a
        moment ago, and saves reading it once more.

        Raises:
            StorageUnavailableError: others kept changing it.
        """
        for _ in range(5):
            delivery = known or self.get_delivery(job_id)
            known = None
            changed = change(delivery)
            if changed is None:
                return delivery
            if self.put_delivery(job_id, changed):
                return changed
        raise StorageUnavailableError(f"the delivery of job {job_id} is being changed by others")


def _claim_key(caller: str, idempotency_key: str) -> str:
    return f"idempotency/{sha256(f'{caller}\n{idempotency_key}'.encode()).hexdigest()}"
