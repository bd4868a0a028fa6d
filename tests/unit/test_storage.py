"""Where links to S3 lead, and what a bucket's answers mean; neither takes a network."""

from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.stub import Stubber

from imagejobs.errors import JobError, StorageRejectedError, StorageUnavailableError
from imagejobs.resources import Clients
from imagejobs.storage import Bucket


@pytest.fixture(autouse=True)
def _account(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "eu-south-2"])
def test_links_name_the_buckets_region(monkeypatch: pytest.MonkeyPatch, region: str) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    host = f"bucket.s3.{region}.amazonaws.com".replace(".us-east-1", "")  # whose host is the global one

    s3 = Clients().s3

    link = Bucket(s3, "bucket").presigned_url("a.png", 60)
    form = s3.generate_presigned_post(Bucket="bucket", Key="a.png")

    assert {urlsplit(link).netloc, urlsplit(form["url"]).netloc} == {host}


def test_links_to_an_address_have_the_bucket_in_their_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")

    link = Bucket(Clients().s3, "bucket").presigned_url("a.png", 60)

    assert link.startswith("http://127.0.0.1:4566/bucket/a.png?")


@pytest.mark.parametrize(("status", "error"), [(404, StorageRejectedError), (503, StorageUnavailableError)])
def test_a_bucket_that_is_not_there(status: int, error: type[Exception]) -> None:
    client = Clients().s3
    with Stubber(client) as s3:
        s3.add_client_error("head_bucket", str(status), http_status_code=status)
        with pytest.raises(error, match="'bucket'"):
            Bucket(client, "bucket").require()


@pytest.mark.parametrize(("status", "code"), [(412, "PreconditionFailed"), (404, "NoSuchKey")])
def test_an_object_that_was_changed_or_deleted_meanwhile_is_not_written(status: int, code: str) -> None:
    client = Clients().s3
    with Stubber(client) as s3:
        s3.add_client_error("put_object", code, http_status_code=status)
        assert not Bucket(client, "bucket").put("a", b"", "text/plain", if_etag='"1"')


def test_a_write_into_a_missing_bucket_is_refused() -> None:
    client = Clients().s3
    with Stubber(client) as s3:
        s3.add_client_error("put_object", "NoSuchBucket", http_status_code=404)
        s3.add_client_error("copy_object", "NoSuchBucket", http_status_code=404)
        with pytest.raises(StorageRejectedError, match="NoSuchBucket"):
            Bucket(client, "bucket").put("a", b"", "text/plain", if_etag='"1"')
        with pytest.raises(StorageRejectedError, match="NoSuchBucket"):
            Bucket(client, "bucket").copy("a", "b")


def test_errors_do_not_name_the_object() -> None:
    """They go into execution histories, and keys hold names of files."""
    key, client = "private/my photo.jpg", Clients().s3
    denied = f'not authorized to perform: s3:GetObject on resource: "arn:aws:s3:::any/{key}"'
    with Stubber(client) as s3:
        s3.add_client_error("get_object", "AccessDenied", denied, 403)
        s3.add_client_error("get_object", "SlowDown", f"Please reduce your request rate: {quote(key)}", 503)
        texts = [text_of(StorageRejectedError, client, key), text_of(StorageUnavailableError, client, key)]
    texts.append(text_of(StorageUnavailableError, Unreachable(), key))

    assert [text for text in texts if "private" in text or "photo" in text] == []
    assert all("'bucket'" in text for text in texts)


class Unreachable:
    """A client whose calls end as the SDK's do where nobody answers."""

    def get_object(self, **parameters: str) -> None:
        raise EndpointConnectionError(endpoint_url=f"https://bucket.s3.amazonaws.com/{quote(parameters['Key'])}")


def text_of(error: type[JobError], client: Any, key: str) -> str:
    with pytest.raises(error) as raised:
        Bucket(client, "bucket").get(key)
    return str(raised.value)


def test_keys_that_may_write_but_not_look_are_enough() -> None:
    client = Clients().s3
    with Stubber(client) as s3:
        s3.add_client_error("head_bucket", "403", http_status_code=403)
        Bucket(client, "bucket").require()
        s3.assert_no_pending_responses()
