"""Object storage: S3 buckets of the account, or IBM Cloud Object Storage by its S3 interface."""

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from botocore.exceptions import BotoCoreError, ClientError

from imagejobs.errors import JobError, StorageRejectedError, StorageUnavailableError

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef

# What is held in memory, in bytes, of an object that is read or written line by line.
_LINES_AT_ONCE = 256 * 1024
_PART = 8 * 1024 * 1024  # S3 takes parts from 5 MiB, and 10,000 of them
_TRANSIENT_CODES = {
    "SlowDown",
    "Throttling",
    "RequestTimeout",
    "ConditionalRequestConflict",
    "OperationAborted",
    "InternalError",
}
# Amazon S3 API reference, "DeleteObjects".
MAX_DELETED_AT_ONCE = 1000


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
        with self._translating(key):
            answer = self.client.get_object(Bucket=self.name, Key=key)
            size = answer["ContentLength"]
            if max_bytes is not None and size > max_bytes:
                answer["Body"].close()
                raise StorageRejectedError(f"the object has {size:,} bytes; the limit is {max_bytes:,}")
            return _stored(key, answer, answer["Body"].read())

    def get_range(self, key: str, start: int, length: int) -> bytes:
        """Read the bytes of an object from `start`: `length` of them, or as many as there are."""
        with self._translating(key):
            answer = self.client.get_object(Bucket=self.name, Key=key, Range=f"bytes={start}-{start + length - 1}")
            return answer["Body"].read()

    def find_with_body(self, key: str) -> StoredObject | None:
        """Read an object; None when it does not exist.

        S3 answers 403 rather than 404 for a missing key unless the caller may list the bucket, so every function
        that reads has s3:ListBucket.
        """
        with self._translating(key):
            try:
                answer = self.client.get_object(Bucket=self.name, Key=key)
            except self.client.exceptions.NoSuchKey:
                return None
            return _stored(key, answer, answer["Body"].read())

    def find(self, key: str) -> StoredObject | None:
        """Look an object up without its body; None when it does not exist."""
        with self._translating(key):
            try:
                return _stored(key, self.client.head_object(Bucket=self.name, Key=key))
            except ClientError as error:
                # HEAD has no body, so S3 tells a missing key by the status alone.
                if _status(error) == 404 and error.response["Error"]["Code"] != "NoSuchBucket":
                    return None
                raise

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

        S3's conditional writes (If-None-Match, If-Match) decide races; only the jobs bucket uses them, never COS. Of an
        object that was to have an ETag and is deleted, S3 says 404 (user guide, "How to prevent object overwrites with
        conditional writes").
        """
        condition: dict[str, Any] = {"IfNoneMatch": "*"} if if_absent else {"IfMatch": if_etag} if if_etag else {}
        with self._translating(key):
            try:
                self.client.put_object(
                    Bucket=self.name, Key=key, Body=body, ContentType=content_type, Metadata=metadata or {}, **condition
                )
            except ClientError as error:
                deleted = if_etag and error.response["Error"].get("Code") == "NoSuchKey"
                if condition and (_status(error) == 412 or deleted):
                    return False
                raise
        return True

    def require(self) -> None:
        """Make sure that the bucket is there: what is not found in a missing one reads as any other missing object."""
        with self._translating():
            try:
                self.client.head_bucket(Bucket=self.name)
            except ClientError as error:
                if _status(error) == 404:  # the answer to a HEAD has no body to say more
                    raise StorageRejectedError(f"NoSuchBucket: the bucket {self.name!r} does not exist") from error
                if _status(error) != 403:  # keys may write into a bucket that they may not look at
                    raise

    def copy(self, source: str, target: str) -> bool:
        """Copy an object within the bucket, with its content type; False when there is no `source`."""
        with self._translating():
            try:
                self.client.copy_object(Bucket=self.name, Key=target, CopySource={"Bucket": self.name, "Key": source})
            except self.client.exceptions.NoSuchKey:
                return False
        return True

    def delete_all(self, keys: list[str]) -> None:
        """Delete up to MAX_DELETED_AT_ONCE objects, whether they are there or not."""
        objects: list[ObjectIdentifierTypeDef] = [{"Key": key} for key in keys]
        with self._translating():
            answer = self.client.delete_objects(Bucket=self.name, Delete={"Objects": objects, "Quiet": True})
        for refused in answer.get("Errors", []):
            code = refused.get("Code", "")
            text = f"{code}: {refused.get('Message', '')} (bucket {self.name!r})"
            raise (StorageUnavailableError if code in _TRANSIENT_CODES else StorageRejectedError)(text)

    def keys(self, prefix: str, after: str | None = None, page_size: int = 1000) -> Iterator[tuple[str, int]]:
        """List (key, size in bytes) of every object under `prefix`, in key order, a page at a time.

        Only the keys that come `after` one, which need not exist; the storage gives 1000 at a time at the most.
        """
        choice: Any = {"StartAfter": after} if after else {}
        paging: Any = {"PageSize": page_size}
        pages = self.client.get_paginator("list_objects_v2")
        with self._translating():
            for page in pages.paginate(Bucket=self.name, Prefix=prefix, PaginationConfig=paging, **choice):
                for entry in page.get("Contents", []):
                    yield entry["Key"], entry["Size"]

    def lines(self, key: str) -> Iterator[bytes]:
        """Read an object line by line, without holding the whole of it."""
        with self._translating(key):
            yield from self.client.get_object(Bucket=self.name, Key=key)["Body"].iter_lines(_LINES_AT_ONCE)

    def put_lines(self, key: str, lines: Iterable[bytes], content_type: str) -> int:
        """Write an object line by line, without holding the whole of it; returns how many lines there were.

        An error that ends `lines` leaves no object.
        """
        from boto3.s3.transfer import TransferConfig

        stream = _LineStream(lines)
        with self._translating(key):
            self.client.upload_fileobj(
                io.BufferedReader(stream, _LINES_AT_ONCE),
                self.name,
                key,
                ExtraArgs={"ContentType": content_type},
                Config=TransferConfig(multipart_threshold=_PART, multipart_chunksize=_PART, use_threads=False),
            )
        return stream.count

    def presigned_url(self, key: str, expires_in: int) -> str:
        """Make a GET URL that holds for `expires_in` seconds."""
        parameters = {"Bucket": self.name, "Key": key}
        with self._translating(key):
            return self.client.generate_presigned_url("get_object", Params=parameters, ExpiresIn=expires_in)

    @contextmanager
    def _translating(self, key: str = "") -> Iterator[None]:
        """Raise the SDK's errors as ours."""
        try:
            yield
        except (ClientError, BotoCoreError) as error:
            raise self._translated(error, key) from error

    def _translated(self, error: ClientError | BotoCoreError, key: str) -> JobError:
        """The SDK's error as ours, without the object's key, which may be a person's file name.

        Lambda logs what a function raises, and execution histories keep it.
        """
        where = f"bucket {self.name!r}"
        if not isinstance(error, ClientError):  # its text may hold the object's URL
            return StorageUnavailableError(f"the object storage could not be reached ({where}): {type(error).__name__}")
        code, status = error.response["Error"].get("Code", ""), _status(error)
        message = error.response["Error"].get("Message", "")
        for name in (key, quote(key)) if key else ():
            message = message.replace(name, "…")
        text = f"{code}: {message} ({where})"
        if status >= 500 or status == 429 or code in _TRANSIENT_CODES:
            return StorageUnavailableError(text)
        return StorageRejectedError(text)


class _LineStream(io.RawIOBase):
    """Lines as a file that can be read once; `count` is how many were."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines = iter(lines)
        self._rest = memoryview(b"")
        self.count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            line = next(self._lines, None)
            if line is None:
                return 0
            self.count += 1
            self._rest = memoryview(line)
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size


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
