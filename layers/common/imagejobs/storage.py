"""Object storage: S3 buckets of the account, or IBM Cloud Object Storage by its S3 interface."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from imagejobs.errors import JobError, StorageRejectedError, StorageUnavailableError
from imagejobs.secrets import Secrets
from imagejobs.settings import StorageSettings

if TYPE_CHECKING:
    from botocore.config import Config
    from mypy_boto3_s3.client import S3Client

_TRANSIENT_CODES = {"SlowDown", "Throttling", "RequestTimeout", "ConditionalRequestConflict", "OperationAborted"}


def _config(**options: Any) -> "Config":
    # The SDK takes half a second to import: that is spent when a client is made, not when a module is imported.
    from botocore.config import Config

    # The SDK tries storage calls again by itself, unlike OpenAI's: an upload that fails after a paid edit would cost a
    # second edit if only the state machine tried again.
    return Config(
        signature_version="s3v4",
        connect_timeout=5,
        read_timeout=30,
        retries={"total_max_attempts": 3, "mode": "standard"},
        # The SDK adds a checksum of its own to every transfer unless told otherwise. COS does not know it, and beside
        # TLS it is work that a batch feels.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        **options,
    )


@lru_cache
def s3_client() -> "S3Client":
    """The client for the account's own buckets."""
    import boto3

    # By default a presigned URL names S3's global host, which answers for a bucket of another region with a redirect
    # that breaks the signature, or not at all (S3 user guide, "Virtual hosting of general purpose buckets").
    return boto3.client("s3", config=_config(s3={"addressing_style": "virtual"}))


@lru_cache
def _cos_client(endpoint: str, region: str, access_key_id: str, secret_access_key: str) -> "S3Client":
    import boto3

    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id=access_key_id,
        aws_secret_access_key=secret_access_key,
        config=_config(
            s3={"addressing_style": "path"},
        ),
    )


def image_client(settings: StorageSettings, secrets: Secrets) -> "S3Client":
    """The client for the input and output buckets: COS with its HMAC keys when an endpoint is set, else S3."""
    if not settings.cos_endpoint:
        return s3_client()
    return _cos_client(
        settings.cos_endpoint,
        settings.cos_region,
        secrets.cos_access_key_id.get_secret_value(),
        secrets.cos_secret_access_key.get_secret_value(),
    )


@dataclass(frozen=True)
class StoredObject:
    """What is known of an object; `body` is empty after `Bucket.find`."""

    key: str
    size: int
    content_type: str
    etag: str
    metadata: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Bucket:
    """One bucket, with every failure of the storage as a `StorageUnavailableError` or `StorageRejectedError`."""

    client: "S3Client"
    name: str

    def get(self, key: str, max_bytes: int | None = None) -> StoredObject:
        """Read an object; one of more than `max_bytes` is refused before its body is read."""
        try:
            answer = self.client.get_object(Bucket=self.name, Key=key)
            size = answer["ContentLength"]
            if max_bytes is not None and size > max_bytes:
                answer["Body"].close()
                raise StorageRejectedError(f"{key} has {size:,} bytes; the limit is {max_bytes:,}")
            return _stored(key, answer, answer["Body"].read())
        except (ClientError, BotoCoreError) as error:
            raise self._translated(error, key) from error

    def read(self, key: str) -> StoredObject | None:
        """Read an object; None when there is none.

        S3 answers 403 rather than 404 for a missing key unless the caller may list the bucket, so every function
        that reads has s3:ListBucket.
        """
        try:
            answer = self.client.get_object(Bucket=self.name, Key=key)
            return _stored(key, answer, answer["Body"].read())
        except ClientError as error:
            if error.response["Error"].get("Code") == "NoSuchKey":
                return None
            raise self._translated(error, key) from error
        except BotoCoreError as error:
            raise self._translated(error, key) from error

    def find(self, key: str) -> StoredObject | None:
        """Look an object up without its body; None when there is none."""
        try:
            return _stored(key, self.client.head_object(Bucket=self.name, Key=key))
        except ClientError as error:
            # HEAD has no body, so S3 tells a missing key by the status alone.
            if _status(error) == 404 and error.response["Error"]["Code"] != "NoSuchBucket":
                return None
            raise self._translated(error, key) from error
        except BotoCoreError as error:
            raise self._translated(error, key) from error

    def put(
        self,
        key: str,
        body: bytes,
        content_type: str,
        *,
        metadata: dict[str, str] | None = None,
        if_absent: bool = False,
        if_etag: str | None = None,
    ) -> bool:
        """Write an object; False when it was to be absent (or to have `if_etag`) and was not.

        S3's conditional writes (If-None-Match, If-Match) decide races; only the jobs bucket uses them, never COS.
        """
        condition: dict[str, Any] = {"IfNoneMatch": "*"} if if_absent else {"IfMatch": if_etag} if if_etag else {}
        try:
            self.client.put_object(
                Bucket=self.name, Key=key, Body=body, ContentType=content_type, Metadata=metadata or {}, **condition
            )
        except ClientError as error:
            if condition and _status(error) == 412:
                return False
            raise self._translated(error, key) from error
        except BotoCoreError as error:
            raise self._translated(error, key) from error
        return True

    def require(self) -> None:
        """Make sure that the bucket is there: what is not found in a missing one reads as any other missing object."""
        try:
            self.client.head_bucket(Bucket=self.name)
        except ClientError as error:
            if _status(error) == 404:  # the answer to a HEAD has no body to say more
                raise StorageRejectedError(f"NoSuchBucket: there is no bucket {self.name!r}") from error
            if _status(error) != 403:  # keys may write into a bucket that they may not look at
                raise self._translated(error, "") from error
        except BotoCoreError as error:
            raise self._translated(error, "") from error

    def delete(self, key: str) -> None:
        """Delete an object, whether it is there or not."""
        try:
            self.client.delete_object(Bucket=self.name, Key=key)
        except (ClientError, BotoCoreError) as error:
            raise self._translated(error, key) from error

    def keys(self, prefix: str) -> Iterator[tuple[str, int]]:
        """List (key, size in bytes) of every object under `prefix`, in key order, a page at a time."""
        try:
            for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix):
                for entry in page.get("Contents", []):
                    yield entry["Key"], entry["Size"]
        except (ClientError, BotoCoreError) as error:
            raise self._translated(error, prefix) from error

    def presigned_url(self, key: str, expires_in: int) -> str:
        """Make a GET URL that holds for `expires_in` seconds."""
        parameters = {"Bucket": self.name, "Key": key}
        try:
            return self.client.generate_presigned_url("get_object", Params=parameters, ExpiresIn=expires_in)
        except (ClientError, BotoCoreError) as error:
            raise self._translated(error, key) from error

    def _translated(self, error: ClientError | BotoCoreError, key: str) -> JobError:
        where = f"bucket {self.name!r}, key {key!r}"
        if not isinstance(error, ClientError):
            return StorageUnavailableError(f"the object storage could not be reached ({where}): {error}")
        code, status = error.response["Error"].get("Code", ""), _status(error)
        text = f"{code}: {error.response['Error'].get('Message', '')} ({where})"
        if status >= 500 or status == 429 or code in _TRANSIENT_CODES:
            return StorageUnavailableError(text)
        return StorageRejectedError(text)


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _stored(key: str, answer: Any, body: bytes = b"") -> StoredObject:
    return StoredObject(
        key=key,
        size=answer["ContentLength"],
        content_type=answer.get("ContentType", "application/octet-stream"),
        etag=answer["ETag"],
        metadata=answer.get("Metadata", {}),
        body=body,
    )
