"""How the delivery of a job's callback is kept: changed by one at a time, and readable across versions."""

import json
from typing import Any

import pytest

from functions.batch_fanout.summary import MAX_ERROR_CHARACTERS
from imagejobs.callbacks import MAX_ERRORS, batch_callback
from imagejobs.decided import find_decision
from imagejobs.errors import StorageUnavailableError
from imagejobs.job_store import Delivery, IdempotencyClaim, JobStore
from imagejobs.settings import StorageSettings
from imagejobs.workflow import BatchCounts
from tests.support.jobs import JOB_ID, job_request

JOB = "7c1e0c9a-5d1f-4a6e-9a54-0d6f5f1b2c3d"
KEY = f"jobs/{JOB}/delivery.json"


def test_of_two_who_read_the_same_delivery_one_writes_it(store: JobStore) -> None:
    for _ in range(2):  # not stored yet, then stored
        first, second = store.get_delivery(JOB), store.get_delivery(JOB)

        assert store.put_delivery(JOB, first.model_copy(update={"attempts": first.attempts + 1}))
        assert not store.put_delivery(JOB, second.model_copy(update={"status": "delivered"}))

    assert store.get_delivery(JOB).model_dump() == Delivery(attempts=2).model_dump()


def test_a_change_is_made_on_what_another_wrote_meanwhile(store: JobStore) -> None:
    known = store.get_delivery(JOB)
    store.put_delivery(JOB, Delivery(attempts=4))

    changed = store.update_delivery(JOB, lambda now: now.model_copy(update={"attempts": now.attempts + 1}), known)

    assert changed.attempts == store.get_delivery(JOB).attempts == 5


def test_a_delivery_that_others_keep_changing_is_a_passing_fault(store: JobStore) -> None:
    def change(now: Delivery) -> Delivery:
        store.bucket.put(KEY, Delivery(attempts=now.attempts + 1).model_dump_json().encode(), "application/json")
        return now

    with pytest.raises(StorageUnavailableError, match="being changed by others"):
        store.update_delivery(JOB, change)


def test_the_etag_is_not_part_of_what_is_stored(store: JobStore) -> None:
    store.put_delivery(JOB, Delivery(attempts=1))
    store.put_delivery(JOB, store.get_delivery(JOB))

    kept = {"status": "pending", "attempts": 1, "round": 0, "giving_up": False}
    assert json.loads(store.bucket.get(KEY).body) == kept


def test_a_delivery_of_an_earlier_version_is_read(store: JobStore) -> None:
    stored = {"status": "dead_lettered", "attempts": 3, "round": 1, "updated_at": "2026-11-01T00:00:00Z"}
    store.bucket.put(KEY, json.dumps(stored).encode(), "application/json")

    delivery = store.get_delivery(JOB)

    assert (delivery.status, delivery.attempts, delivery.round) == ("dead_lettered", 3, 1)


def test_what_is_written_once_is_written_with_if_none_match(store: JobStore) -> None:
    # The bucket's policy refuses it otherwise, which nothing here enforces (template.yaml, WrittenOnce).
    asked: dict[str, str | None] = {}

    def note(params: dict[str, Any], **_: Any) -> None:
        asked[params["url_path"]] = params["headers"].get("If-None-Match")

    store.bucket.client.meta.events.register("before-call.s3.PutObject", note)
    request = job_request("url", job_id=JOB)
    claim = IdempotencyClaim(job_id=JOB, fingerprint="f")
    for _ in range(2):
        store.create(request)
        store.decide(JOB, b"{}")
        assert store.claim("key:one", "order-1", claim) == claim

    assert len(asked) == 3
    assert set(asked.values()) == {"*"}


def test_the_first_claim_of_a_key_holds_for_its_owner_alone(store: JobStore) -> None:
    first, second = (IdempotencyClaim(job_id=job_id, fingerprint="f") for job_id in ("one", "two"))

    assert store.claim("key:one", "order-1", first) == first
    assert store.claim("key:one", "order-1", second) == first
    assert store.claim("key:two", "order-1", second) == second


def test_the_end_of_a_batch_with_the_longest_errors_is_read(store: JobStore) -> None:
    made = BatchCounts(total_files=MAX_ERRORS, processed=0, failed=MAX_ERRORS, fallback_local=0)
    errors = ["\N{GRINNING FACE}" * MAX_ERROR_CHARACTERS] * MAX_ERRORS
    outcome = {"status": "completed_with_errors", "errors": errors}
    store.decide(JOB_ID, batch_callback(job_request("batch"), made, StorageSettings(), **outcome))

    decision = find_decision(JOB_ID, store)

    assert decision
    assert (decision.status, decision.payload["errors"]) == ("completed_with_errors", errors)
