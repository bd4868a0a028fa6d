"""The client of the service: every call of its API, typed."""

import io
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Self

from imagejobs_client.connection import find_connection
from imagejobs_client.errors import JobFailedError, TransferError
from imagejobs_client.models import EditOptions, Job
from imagejobs_client.readings import Readings
from imagejobs_client.results import OnSaved, SavedImage, local_names, save_images
from imagejobs_client.submissions import Submissions
from imagejobs_client.transfers import OnBytes


class Client(Submissions, Readings):
    """Calls one service. It may be shared by threads; as a context manager it closes its connections.

    Example:
        with Client.connect() as client:
            Path("winter.png").write_bytes(client.edit(Path("photo.jpg"), "make it winter"))
    """

    @classmethod
    def connect(cls, address: str | None = None, **secrets: str | None) -> Self:
        """Make a client for the service that `find_connection` finds.

        `secrets` are `api_key`, `token` (OAuth 2.0) and `workshop_token`.

        Example:
            client = Client.connect("https://abc123.execute-api.eu-de.amazonaws.com/v1", api_key=key)
        """
        return cls(find_connection(address, **secrets))  # type: ignore[arg-type]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()
        self._transfers.close()

    def edit(
        self, picture: Path | bytes | str, prompt: str, options: EditOptions | None = None, timeout: float | None = None
    ) -> bytes:
        """Edit a picture (a path, its bytes or an https URL), wait for the result and give back its bytes.

        Raises JobFailedError, and StillRunningError after `timeout` seconds.

        Example:
            png = client.edit(Path("photo.jpg"), "make it winter", EditOptions(quality="high"))
        """
        job = self.wait(self.start_edit(picture, prompt, options), timeout)
        if not job.succeeded:
            raise JobFailedError(job)
        return self.result(job)

    def result(self, job: Job) -> bytes:
        """Fetch the edited picture of a completed single job.

        Example:
            png = client.result(client.wait(job_id))
        """
        buffer = io.BytesIO()
        self._fetch(job, lambda url: self._transfers.fetch(url, buffer))
        return buffer.getvalue()

    def save_result(self, job: Job, target: Path, on_bytes: OnBytes = lambda _: None) -> int:
        """Fetch the edited picture of a completed single job into a file, and give back its size.

        Example:
            client.save_result(client.wait(job_id), Path("winter.png"))
        """
        return self._fetch(job, lambda url: self._transfers.download(url, target, on_bytes))

    def save_images(
        self, job_id: str, folder: Path, *, side_by_side: int = 8, on_saved: OnSaved = lambda _: None
    ) -> list[SavedImage]:
        """Fetch the results of a batch into a folder, which keeps the batch's own folders, and overwrite nothing.

        `sub/a.jpg` gives `sub/a.png`; where there is a `sub/a.png` too, they give `sub/a.jpg.png` and `sub/a.png.png`.
        Where the folder holds another file of a result's name, the result gets a number: `sub/a-2.png`.

        Example:
            saved = client.save_images(job_id, Path("results"))
        """
        names = local_names((image.file for image in self.images(job_id)), folder)
        read = partial(self._images_page, job_id)
        return list(save_images(read, names, self._transfers, side_by_side, on_saved))

    def cancel(self, job_id: str) -> None:
        """Cancel a job: no further image is paid for. Raises ConflictError when it has its result already.

        Example:
            client.cancel(job_id)
        """
        self._transport.request("DELETE", f"/jobs/{job_id}")

    def redeliver(self, job_id: str) -> None:
        """Send a job's callback again. Raises ConflictError when there is nothing to send.

        Example:
            client.redeliver(job_id)
        """
        # A second try could send it twice.
        self._transport.request("POST", f"/jobs/{job_id}/redeliver", once=True)

    def erase(self, job_id: str) -> None:
        """Erase what a finished job holds, for good: pictures, prompt, results.

        Example:
            client.erase(job_id)
        """
        while self._transport.request("DELETE", f"/jobs/{job_id}/data").status_code != 204:
            pass  # 202: there was more than fits into one request

    def _fetch(self, job: Job, fetch: Callable[[str], int]) -> int:
        """Fetch by the job's link, or by a fresh one where that has expired."""
        if not job.result or not job.result.result_url:
            raise JobFailedError(job)
        try:
            return fetch(job.result.result_url)
        except TransferError:
            fresh = self.job(job.job_id)
            if not fresh.result or not fresh.result.result_url:
                raise JobFailedError(fresh) from None
            return fetch(fresh.result.result_url)
