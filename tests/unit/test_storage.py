"""Where links to S3 lead, and what a bucket's answers mean; neither takes a network."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from botocore.stub import Stubber

from imagejobs.errors import StorageRejectedError, StorageUnavailableError
from imagejobs.storage import Bucket, s3_client


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    s3_client.cache_clear()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    yield
    s3_client.cache_clear()


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "eu-south-2"])
def test_links_name_the_buckets_region(monkeypatch: pytest.MonkeyPatch, region: str) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    host = f"bucket.s3.{region}.amazonaws.com".replace(".us-east-1", "")  # whose host is the global one

    link = Bucket(s3_client(), "bucket").presigned_url("a.png", 60)
    form = s3_client().generate_presigned_post(Bucket="bucket", Key="a.png")

    assert {urlsplit(link).netloc, urlsplit(form["url"]).netloc} == {host}


def test_links_to_an_address_have_the_bucket_in_their_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")

    assert Bucket(s3_client(), "bucket").presigned_url("a.png", 60).startswith("http://127.0.0.1:4566/bucket/a.png?")


@pytest.mark.parametrize(("status", "error"), [(404, StorageRejectedError), (503, StorageUnavailableError)])
def test_a_bucket_that_is_not_there(monkeypatch: pytest.MonkeyPatch, status: int, error: type[Exception]) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with Stubber(s3_client()) as s3:
        s3.add_client_error("head_bucket", str(status), http_status_code=status)
        with pytest.raises(error, match="'bucket'"):
            Bucket(s3_client(), "bucket").require()


def test_keys_that_may_write_but_not_look_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with Stubber(s3_client()) as s3:
        s3.add_client_error("head_bucket", "403", http_status_code=403)
        Bucket(s3_client(), "bucket").require()
        s3.assert_no_pending_responses()
