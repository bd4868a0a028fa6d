"""A batch's reference pictures that are given by URL."""

import pytest

from imagejobs.errors import SourceRefusedError, SourceUnavailableError
from imagejobs.job_store import JobStore
from tests.integration.batch_fanout.conftest import Configure, invoke, record
from tests.support.jobs import JOB_ID
from tests.support.pictures import picture
from tests.support.sockets import Serve, answering


@pytest.fixture
def local(configure: Configure) -> None:
    """A stack that fetches from this machine."""
    configure(CALLBACK_ALLOW_HTTP="true", CALLBACK_ALLOW_PRIVATE="true")


@pytest.mark.usefixtures("local")
def test_they_are_fetched_once_for_all_images_and_kept_behind_the_uploaded_ones(store: JobStore, serve: Serve) -> None:
    server = serve(answering("200 OK", picture(10, 10)), answering("200 OK", picture(20, 20, file_format="GIF")))
    urls = [f"{server.url}/a", f"{server.url}/b"]
    record(store, reference_keys=["uploads/x"], reference_urls=urls)
    store.put_input(JOB_ID, picture(), "image/png", "reference-1")

    invoke(action="list_images")
    invoke(action="list_images")  # as the state machine does when the first answer is lost

    assert len(server.heads) == 2
    kept = [store.bucket.get(store.key(JOB_ID, f"reference-{number}")) for number in (2, 3)]
    assert [one.body for one in kept] == [picture(10, 10), picture(20, 20, file_format="GIF")]
    assert [one.content_type for one in kept] == ["image/png", "image/gif"]


@pytest.mark.usefixtures("local")
@pytest.mark.parametrize(
    ("body", "status", "error", "message"),
    [
        (b"<html>", "200 OK", SourceRefusedError, "reference-1: the file is an HTML page"),
        (b"", "404 Not Found", SourceRefusedError, "the server of reference_urls answered 404"),
        (b"", "503 Busy", SourceUnavailableError, "the server of reference_urls answered 503"),
    ],
)
def test_one_that_cannot_be_had_ends_the_batch_before_anything_is_paid(
    store: JobStore, serve: Serve, body: bytes, status: str, error: type[Exception], message: str
) -> None:
    record(store, reference_urls=[serve(answering(status, body)).url])

    with pytest.raises(error, match=message):
        invoke(action="list_images")


def test_the_policy_of_callbacks_holds_for_them(store: JobStore) -> None:
    record(store, reference_urls=["https://169.254.169.254/latest/meta-data"])

    with pytest.raises(SourceRefusedError, match="reference_urls"):
        invoke(action="list_images")
