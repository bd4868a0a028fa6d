"""Where links to S3 lead, and what a bucket's answers mean; neither takes a network."""

from urllib.parse import urlsplit

import pytest
from botocore.stub import Stubber

from imagejobs.errors import StorageRejectedError, StorageUnavailableError
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


def test_keys_that_may_write_but_not_look_are_enough() -> None:
    client = Clients().s3
    with Stubber(client) as s3:
        s3.add_client_error("head_bucket", "403", http_status_code=403)
        Bucket(client, "bucket").require()
        s3.assert_no_pending_responses()
