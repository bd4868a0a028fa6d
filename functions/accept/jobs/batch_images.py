"""A page of a batch's images: of its report, or of the edits that there are by now where it has none."""

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

from functions.accept.http.list_answers import JobImage, JobImageList
from functions.accept.http.problems import ConflictError, InvalidRequestError
from functions.accept.jobs.lookup import results_prefix
from imagejobs.job_request import JobRequest
from imagejobs.job_store import JobStore
from imagejobs.settings import StorageSettings
from imagejobs.storage import Bucket
from imagejobs.upload_folders import images_prefix
from imagejobs.workflow import REPORT_NAME

# A place in the report in bytes, or the key of an edit.
CURSOR = "([0-9]{1,15}|k[A-Za-z0-9_=-]+)"
# What is read of a report at once and for one page, in bytes: a filter may pass over most of its lines.
_AT_ONCE = 256 * 1024
_OF_ONE_PAGE = 8 * 1024 * 1024
_MAX_KEY_BYTES = 1024  # S3 user guide, "Naming Amazon S3 objects"

type ImageStatus = Literal["completed", "failed"]


@dataclass(frozen=True)
class ImageLister:
    """Lists the images of one batch."""

    request: JobRequest
    jobs: JobStore
    inputs: Bucket
    outputs: Bucket
    settings: StorageSettings

    def page(self, limit: int, cursor: str | None, status: ImageStatus | None) -> JobImageList:
        """List up to `limit` images after a `cursor`, which is the `next` of the page before.

        With a filter a page may be short or empty though there is a next one. Raises ConflictError for another job.
        """
        if self.request.operation != "batch":
            raise ConflictError("only a batch has a list of images: GET /jobs/{job_id} has this job's result")
        results = results_prefix(self.request, self.jobs, self.settings) or ""
        report = None if (cursor or "").startswith("k") else self.outputs.find(f"{results}{REPORT_NAME}")
        if report:
            return self._of_report(report.key, report.size, limit, int(cursor or 0), status)
        return self._of_edits(results, limit if status != "failed" else 0, _key_of(cursor, results) if cursor else None)

    def _of_report(self, key: str, size: int, limit: int, at: int, status: ImageStatus | None) -> JobImageList:
        # Another batch's cursor may be beyond this one's end, where there is nothing to read.
        if at > size or (at and self.outputs.get_range(key, at - 1, 1) != b"\n"):
            raise _unknown_cursor()
        images: list[JobImage] = []
        end = min(size, at + _OF_ONE_PAGE)
        while at < end and len(images) < limit:
            lines = self.outputs.get_range(key, at, _AT_ONCE).splitlines(keepends=True)
            whole = lines if len(lines) == 1 or lines[-1].endswith(b"\n") else lines[:-1]
            for line in whole:
                if len(images) == limit:
                    break
                at += len(line)
                image: dict[str, Any] = json.loads(line)
                if status in (None, image["status"]):
                    images.append(self._linked(image, image["key"], image.get("output_key")))
        return self._page(images, str(at) if at < size else None)

    def _of_edits(self, results: str, limit: int, after: str | None) -> JobImageList:
        """While a batch runs only those have a key of their own that have an edit."""
        found = list(islice(self.outputs.keys(results, after, page_size=limit + 1), limit + 1)) if limit else []
        images = []
        for key, size in found[:limit]:
            edited = re.fullmatch(r"(.+)_modified\.[a-z]+", key.removeprefix(results), re.DOTALL)
            if edited:
                source = f"{images_prefix(self.request, self.settings)}{edited[1]}"
                images.append(self._linked({"status": "completed", "bytes_out": size}, source, key))
        more = len(found) > limit
        return self._page(images, f"k{urlsafe_b64encode(found[limit - 1][0].encode()).decode()}" if more else None)

    def _linked(self, image: dict[str, Any], source: str, edit: str | None) -> JobImage:
        expires_in = self.settings.cos_presign_expires
        links = {"before_url": self.inputs.presigned_url(source, expires_in)}
        if edit:
            links["after_url"] = self.outputs.presigned_url(edit, expires_in)
        file = source.removeprefix(images_prefix(self.request, self.settings))
        return JobImage(**{name: image.get(name) for name in JobImage.model_fields} | links | {"file": file})

    def _page(self, images: list[JobImage], following: str | None) -> JobImageList:
        return JobImageList(images=images, next=following, expires_in=self.settings.cos_presign_expires)


def _key_of(cursor: str, results: str) -> str:
    try:
        key = urlsafe_b64decode(cursor.removeprefix("k"))
        if cursor.startswith("k") and key.startswith(results.encode()) and len(key) <= _MAX_KEY_BYTES:
            return key.decode()
    except ValueError:
        pass
    raise _unknown_cursor()


def _unknown_cursor() -> InvalidRequestError:
    return InvalidRequestError.at("query", "cursor", msg="expected the `next` of an earlier answer to this request")
