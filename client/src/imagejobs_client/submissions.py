"""Starting jobs: pictures and folders to the service, and what is to be done with them."""

import base64
import json
import uuid
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from imagejobs_client.calls import Calls
from imagejobs_client.errors import TooLargeError, UnexpectedAnswerError, UnsupportedOptionError
from imagejobs_client.models import EditOptions
from imagejobs_client.transfers import OnBytes
from imagejobs_client.uploads import OnUploaded, as_file

# A larger picture is uploaded: the service's own limit for a posted one is about 4.5 MB.
POSTED_BYTES = 4_000_000
_SINGLE, _BATCH = "/process-image-async", "/batch-process-images"


class Submissions(Calls):
    """The calls that start jobs."""

    def start_edit(
        self,
        picture: Path | bytes | str,
        prompt: str,
        options: EditOptions | None = None,
        *,
        filename: str | None = None,
        callback_url: str | None = None,
        progress_url: str | None = None,
        idempotency_key: str | None = None,
        on_bytes: OnBytes = lambda _: None,
    ) -> str:
        """Start the edit of a picture and give back the job's id. A large picture is uploaded first.

        The result is posted to `callback_url` and progress to `progress_url`, where they are given. The same
        `idempotency_key` never starts, and never pays, a second job; without one each call is a new job, however often
        its request is tried. With a picture over 4 MB, which is uploaded anew, the second call raises ConflictError.

        Example:
            job_id = client.start_edit(Path("photo.jpg"), "make it winter")
        """
        receivers = _receivers(callback_url, progress_url)
        body = {"prompt": prompt, **self._options(_SINGLE, options)}
        name = filename or (picture.name if isinstance(picture, Path) else None)
        if name:
            body["filename"] = name
        if isinstance(picture, str):
            return self._start(_SINGLE, body | {"image_url": picture}, receivers, idempotency_key)
        key = idempotency_key or str(uuid.uuid4())
        with as_file(picture) as file:
            content = file.read(POSTED_BYTES + 1)
            if len(content) <= POSTED_BYTES:
                posted = body | {"image_base64": base64.b64encode(content).decode()}
                try:
                    return self._start(_SINGLE, posted, receivers, key)
                except TooLargeError:
                    pass  # this service's limit is a lower one
            body["image_key"] = self._uploads.upload(file, name or "picture", on_bytes)
        return self._start(_SINGLE, body, receivers, key)

    def upload(self, picture: Path | bytes, filename: str | None = None, on_bytes: OnBytes = lambda _: None) -> str:
        """Upload a picture of up to 50 MB and give back its key, for `EditOptions.mask_key` and `reference_keys`.

        Example:
            options = EditOptions(mask_key=client.upload(Path("mask.png")))
        """
        with as_file(picture) as file:
            name = filename or (picture.name if isinstance(picture, Path) else "picture")
            return self._uploads.upload(file, name, on_bytes)

    def upload_folder(
        self,
        files: Mapping[str, Path],
        *,
        side_by_side: int = 8,
        idempotency_key: str | None = None,
        on_uploaded: OnUploaded = lambda _: None,
        on_bytes: OnBytes = lambda _: None,
    ) -> str:
        """Upload the files of a batch by the names that they are to have, and give back the folder's id.

        With an `idempotency_key` it is the same folder for the same names and sizes, so that `start_batch` with the
        same key is the same request.

        Example:
            folder = client.upload_folder({path.name: path for path in Path("holiday").glob("*.jpg")})
        """
        folder = _folder_of(idempotency_key, files) if idempotency_key else None
        return self._uploads.upload_folder(files, side_by_side, on_uploaded, on_bytes, folder)

    def start_batch(
        self,
        folder: str,
        prompt: str,
        options: EditOptions | None = None,
        *,
        dry_run: bool = False,
        max_cost_usd: float | None = None,
        callback_url: str | None = None,
        progress_url: str | None = None,
        idempotency_key: str | None = None,
    ) -> str:
        """Start the edit of every picture of an uploaded folder and give back the job's id.

        `dry_run` counts and estimates, and edits nothing; a batch whose estimate is above `max_cost_usd` edits nothing.

        Example:
            job_id = client.start_batch(folder, "make it winter", max_cost_usd=5)
        """
        choices: dict[str, Any] = {"folder": folder}
        if dry_run:
            choices["dry_run"] = True
        if max_cost_usd is not None:
            choices["max_cost_usd"] = max_cost_usd
        self._require(_BATCH, choices)
        body = {"prompt": prompt, **choices, **self._options(_BATCH, options)}
        receivers = _receivers(callback_url, progress_url)
        return self._start(_BATCH, body, receivers, idempotency_key)

    def retry(
        self,
        job_id: str,
        *,
        callback_url: str | None = None,
        progress_url: str | None = None,
        idempotency_key: str | None = None,
    ) -> str:
        """Edit the failed images of a finished batch again: a new job, whose id is given back.

        Example:
            job = client.wait(client.retry(job_id))
        """
        receivers = _receivers(callback_url, progress_url)
        return self._start(f"/jobs/{job_id}/retry", None, receivers, idempotency_key)

    def _start(self, path: str, body: Mapping[str, Any] | None, receivers: Mapping[str, str], key: str | None) -> str:
        """Post a job. Its Idempotency-Key makes it harmless to post again where no answer came."""
        headers = {"Idempotency-Key": key or str(uuid.uuid4()), **receivers}
        answer = self._transport.read("POST", path, json=body, headers=headers)
        try:
            return str(answer["job_id"])
        except (LookupError, TypeError) as error:
            raise UnexpectedAnswerError(f"POST {path} answered without a job_id") from error

    def _options(self, path: str, options: EditOptions | None) -> dict[str, Any]:
        given = options.to_json() if options else {}
        self._require(path, given)
        return given

    def _require(self, path: str, names: Collection[str]) -> None:
        """Refuse what this service does not know: it would pass over it, and make and charge another thing."""
        if not names:
            return
        unknown = sorted(set(names) - _body_fields(self._transport.read("GET", "/openapi.json"), path))
        if unknown:
            raise UnsupportedOptionError(
                f"the service at {self.connection.address} does not know {', '.join(unknown)}: nothing was sent"
            )


def _receivers(callback_url: str | None, progress_url: str | None) -> dict[str, str]:
    """The headers that say where a job's result and its progress are posted."""
    result = {"callbackUrl": callback_url} if callback_url else {"Prefer": "respond-async"}
    return result | ({"progressUrl": progress_url} if progress_url else {})


def _folder_of(key: str, files: Mapping[str, Path]) -> str:
    """A folder's id. Other pictures get another folder, so that a key that comes twice changes no job's pictures."""
    listed = sorted((name, path.stat().st_size) for name, path in files.items())
    return str(uuid.uuid5(uuid.NAMESPACE_URL, json.dumps([key, listed])))


def _body_fields(document: Any, path: str) -> set[str]:
    """The fields of a route's body, in the service's OpenAPI document."""
    try:
        schema = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
        while "$ref" in schema:
            schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return set(schema["properties"])
    except (LookupError, TypeError) as error:
        raise UnexpectedAnswerError(
            f"the service's OpenAPI document tells nothing of the body of POST {path}"
        ) from error
