"""An image that OpenAI's rate limit holds back: how long it waits, with whom, and what is told of it."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import boto3
import pytest

from functions.process_image.pacing import Pacer, Queue
from imagejobs.errors import OpenAIInvalidAnswerError, OpenAIRejectedError, OpenAIRetryableError
from imagejobs.job_store import JobStore
from imagejobs.storage import Bucket
from standins.openai import OpenAIStandIn
from standins.openai_answers import edited, images, refused
from standins.server import Answer
from tests.integration.conftest import Account
from tests.integration.process_image.conftest import EDITED, Accept, Configure, invoke
from tests.support.batches import put_manifest
from tests.support.jobs import JOB_ID
from tests.support.pictures import picture

KEY = "pacing/openai.json"


def too_fast(**headers: str) -> Answer:
    return refused(429, "rate_limit_exceeded", "requests", "Rate limit reached", **headers)


def stored_queue(store: JobStore) -> Queue:
    return Queue.model_validate_json(store.bucket.get(KEY).body)


def put_queue(store: JobStore, queue: Queue) -> None:
    store.bucket.put(KEY, queue.model_dump_json().encode(), "application/json")


def test_a_refused_image_takes_a_ticket_and_waits_as_long_as_it_is_told(
    accept: Accept, store: JobStore, openai: OpenAIStandIn
) -> None:
    openai.will_answer(too_fast(Retry_After="60"), edited(EDITED))
    accept("base64", picture())

    waiting = invoke("base64", retries=1)

    # Whole seconds, rounded up by OpenAI and down by us.
    assert waiting.pop("wait_seconds") in (58, 59)
    since = datetime.fromisoformat(waiting.pop("since"))
    assert datetime.now(UTC) - since < timedelta(seconds=60)
    assert waiting.pop("status") == "rate_limited"
    assert waiting == {"engine": "openai", "ticket": 1, "attempts": 2, "rate_limited": 1, "throttle_seconds": 5}
    assert stored_queue(store).turn(1) == pytest.approx(time.time() + 59, abs=10)


def test_who_comes_while_others_wait_takes_a_ticket_without_a_call(
    accept: Accept, store: JobStore, openai: OpenAIStandIn
) -> None:
    put_queue(store, Queue().joined(time.time(), retry_after=300))
    accept("base64", picture())

    waiting = invoke("base64", retries=2)

    assert (waiting["ticket"], waiting["attempts"], waiting["rate_limited"]) == (2, 2, 0)
    assert 290 <= waiting["wait_seconds"] <= 300
    assert openai.calls == []
    assert invoke("base64", waited=waiting)["ticket"] == 2
    assert stored_queue(store).issued == 2


def test_an_image_whose_turn_has_come_is_edited(accept: Accept, store: JobStore) -> None:
    put_queue(store, Queue().joined(time.time() - 60))
    accept("base64", picture())

    edited_image = invoke("base64", waited={"ticket": 1, "attempts": 4, "rate_limited": 4})

    assert (edited_image["status"], edited_image["attempts"]) == ("edited", 5)


def test_a_turn_within_a_second_is_waited_for_in_the_function(
    accept: Accept, store: JobStore, openai: OpenAIStandIn
) -> None:
    accept("base64", picture())
    queue = Queue().joined(time.time())
    put_queue(store, queue)

    assert invoke("base64", waited={"ticket": 1})["status"] == "edited"
    assert openai.calls[0].started_at >= queue.turn(1)


def test_a_refusal_after_a_turn_slows_the_queue_down(accept: Accept, store: JobStore, openai: OpenAIStandIn) -> None:
    queue = Queue().joined(time.time() - 1).joined(time.time() - 1)
    put_queue(store, queue)
    openai.will_answer(too_fast())
    accept("base64", picture())

    waiting = invoke("base64", waited={"ticket": 1, "attempts": 1, "rate_limited": 1, "throttle_seconds": 20})

    assert (waiting["attempts"], waiting["rate_limited"], waiting["throttle_seconds"]) == (2, 2, 20)
    assert stored_queue(store).interval > queue.interval * 0.9
    assert stored_queue(store).turn(2) > time.time() - 0.5


@pytest.mark.parametrize("broken", [b"", b"[]", b'{"issued": "many"}'])
def test_a_queue_that_cannot_be_read_fails_no_image(
    accept: Accept, store: JobStore, openai: OpenAIStandIn, broken: bytes
) -> None:
    store.bucket.put(KEY, broken, "application/json")
    openai.will_answer(too_fast(Retry_After="5"), edited(EDITED))
    accept("base64", picture())

    assert invoke("base64")["ticket"] == 1
    assert stored_queue(store).issued == 1


def test_without_a_queue_waits_grow_and_are_spread(accept: Accept, store: JobStore) -> None:
    gone = Bucket(store.bucket.client, "nowhere")
    pacer = Pacer(gone, "openai")

    assert pacer.turn(0).at <= time.time()
    for refusals, longest in ((0, 10), (3, 45)):
        waits = [pacer.refused(0, 5, refusals).at - time.time() for _ in range(50)]
        assert 4.5 < min(waits) < max(waits) <= longest
        assert max(waits) > longest / 2
    assert all(pacer.refused(0, 5, 10_000).at - time.time() <= 65 for _ in range(20))


def test_waiting_ends_after_so_many_hours(
    accept: Accept, configure: Configure, store: JobStore, openai: OpenAIStandIn
) -> None:
    configure(OPENAI_MAX_RATE_LIMIT_WAIT_HOURS="1.5")
    accept("base64", picture())
    since = {"attempts": 7, "rate_limited": 7, "since": (datetime.now(UTC) - timedelta(minutes=80)).isoformat()}

    openai.will_answer(too_fast(Retry_After="300"))
    assert invoke("base64", waited=since)["rate_limited"] == 8
    store.bucket.delete_all([KEY])
    openai.will_answer(too_fast(Retry_After="900"))
    with pytest.raises(OpenAIRejectedError, match=r"^RateLimitError: .*Rate limit reached.*the limit is 1\.5 hours"):
        invoke("base64", waited=since)


def test_waiting_for_others_ends_too(accept: Accept, configure: Configure, store: JobStore) -> None:
    configure(OPENAI_MAX_RATE_LIMIT_WAIT_HOURS="0")
    put_queue(store, Queue().joined(time.time(), retry_after=300))
    accept("base64", picture())

    with pytest.raises(OpenAIRejectedError, match=r"^RateLimitError: other images wait for OpenAI's rate limit too"):
        invoke("base64")


def test_a_single_image_says_that_it_waits(accept: Accept, store: JobStore, openai: OpenAIStandIn) -> None:
    openai.will_answer(too_fast(Retry_After="60"))
    accept("url", picture(), filename="a.png")

    waiting = invoke("url")

    told = store.find_waiting(JOB_ID)
    assert told is not None
    assert told.since == datetime.fromisoformat(waiting["since"])
    assert told.until > datetime.now(UTC) + timedelta(seconds=40)


def test_a_batchs_image_says_nothing_of_its_wait(accept: Accept, store: JobStore, openai: OpenAIStandIn) -> None:
    openai.will_answer(too_fast(Retry_After="60"))
    boto3.client("s3").put_object(Bucket="input", Key="a.png", Body=picture())
    accept("batch")

    assert invoke("batch", at=put_manifest(store, JOB_ID, ["a.png"])["a.png"])["status"] == "rate_limited"
    assert store.find_waiting(JOB_ID) is None


def test_an_invalid_answer_after_a_wait_is_not_asked_for_again_when_an_attempt_before_it_failed(
    accept: Accept, openai: OpenAIStandIn
) -> None:
    accept("base64", picture())
    openai.will_answer(images([]))

    with pytest.raises(OpenAIInvalidAnswerError):
        invoke("base64", waited={"attempts": 2, "rate_limited": 2})
    with pytest.raises(OpenAIRejectedError, match="APIResponseValidationError"):
        invoke("base64", waited={"attempts": 3, "rate_limited": 2})


def test_waits_between_them_do_not_multiply_an_images_attempts(accept: Accept, openai: OpenAIStandIn) -> None:
    """Step Functions counts its retries anew after a wait, so that each wait would allow as many attempts again."""
    accept("base64", picture())
    waited = {"attempts": 5, "rate_limited": 2}  # three of its own, of the five that EditMaxRetries allows

    with pytest.raises(OpenAIRejectedError, match="TooManyAttempts"):
        invoke("base64", retries=2, waited=waited)
    assert openai.calls == []
    openai.will_answer(refused(503), refused(503), edited(EDITED))
    with pytest.raises(OpenAIRetryableError):
        invoke("base64", retries=0, waited=waited)
    with pytest.raises(OpenAIRejectedError, match="InternalServerError"):
        invoke("base64", retries=1, waited=waited)
    assert invoke("base64", retries=1, waited=waited)["attempts"] == 7
    # An edit that one of them kept is found all the same.
    assert invoke("base64", retries=9, waited=waited)["status"] == "edited"
    assert len(openai.calls) == 3


@pytest.fixture
def bucket(account: Account) -> Bucket:
    """A bucket that decides races as S3 does."""
    client = account.client("s3")
    client.create_bucket(Bucket="pacing")
    return Bucket(client, "pacing")


def test_those_who_are_refused_at_once_get_a_ticket_each(bucket: Bucket) -> None:
    count = 16

    with ThreadPoolExecutor(count) as pool:
        turns = list(pool.map(lambda _: Pacer(bucket, "openai").refused(0, 1, 0), range(count)))

    assert sorted(turn.ticket for turn in turns) == list(range(1, count + 1))
    assert json.loads(bucket.get(KEY).body)["issued"] == count
