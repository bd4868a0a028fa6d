"""Files to the service before a job: one large picture, or a batch's folder."""

import io
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from imagejobs_client.errors import UnexpectedAnswerError
from imagejobs_client.models import UploadForm, parse
from imagejobs_client.pictures import HEAD_BYTES, image_type
from imagejobs_client.transfers import OnBytes, Transfers
from imagejobs_client.transport import Transport

type OnUploaded = Callable[[str], None]

# So many forms are asked for at once: the service's limit of one call.
_FORMS = 100
# A form works for a quarter of an hour.
_FORMS_BYTES = 100_000_000


class Uploads:
    """Uploads by the service's forms, which bind a file to its size."""

    def __init__(self, transport: Transport, transfers: Transfers) -> None:
        self._transport = transport
        self._transfers = transfers

    def upload(self, file: BinaryIO, filename: str, on_bytes: OnBytes) -> str:
        """Upload one picture and give back its `image_key`."""
        content_type, size = describe(file)
        body = {"filename": filename, "content_type": content_type, "size": size}
        form = parse(UploadForm, self._transport.read("POST", "/uploads", json=body))
        if not form.image_key:
            raise UnexpectedAnswerError("POST /uploads answered without an image_key")
        self._transfers.upload(form, file, content_type, size, on_bytes)
        return form.image_key

    def upload_folder(
        self,
        files: Mapping[str, Path],
        side_by_side: int,
        on_uploaded: OnUploaded,
        on_bytes: OnBytes,
        folder: str | None = None,
    ) -> str:
        """Upload files by their names in the batch, into a `folder` or a new one, and give back the folder's id."""
        with ThreadPoolExecutor(side_by_side) as pool:
            try:
                for some in portions(files):
                    folder, forms = self._forms(some, folder)
                    for name in pool.map(lambda form: self._send(form, files, on_bytes), forms):
                        on_uploaded(name)
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        if not files or folder is None:
            raise ValueError("there is no file to upload")
        return folder

    def _forms(self, files: Mapping[str, Path], folder: str | None) -> tuple[str, list[UploadForm]]:
        asked = [{"filename": name, "size": path.stat().st_size} for name, path in files.items()]
        body = {"files": asked, **({"folder": folder} if folder else {})}
        answer = self._transport.read("POST", "/uploads", json=body)
        try:
            forms = [parse(UploadForm, one) for one in answer["uploads"]]
            if {form.filename for form in forms} != set(files):
                raise UnexpectedAnswerError("POST /uploads answered other files than it was asked for")
            return str(answer["folder"]), forms
        except (LookupError, TypeError, ValueError) as error:
            raise UnexpectedAnswerError(f"POST /uploads answered in another form than expected: {error}") from error

    def _send(self, form: UploadForm, files: Mapping[str, Path], on_bytes: OnBytes) -> str:
        name = str(form.filename)
        with files[name].open("rb") as file:
            content_type, size = describe(file)
            self._transfers.upload(form, file, content_type, size, on_bytes)
        return name


def portions(files: Mapping[str, Path]) -> Iterator[dict[str, Path]]:
    """Files whose forms are asked for together: few enough that none expires while it waits for its turn."""
    portion: dict[str, Path] = {}
    size = 0
    for name, path in files.items():
        size += path.stat().st_size
        if portion and (len(portion) == _FORMS or size > _FORMS_BYTES):
            yield portion
            portion, size = {}, path.stat().st_size
        portion[name] = path
    if portion:
        yield portion


@contextmanager
def as_file(picture: Path | bytes) -> Iterator[BinaryIO]:
    """Open a path, or bytes as if they were a file."""
    if isinstance(picture, bytes):
        yield io.BytesIO(picture)
    else:
        with picture.open("rb") as file:
            yield file


def describe(file: BinaryIO) -> tuple[str, int]:
    """The type and the size in bytes of an open file. An unknown type goes as PNG: the service says what it is."""
    file.seek(0)
    head = file.read(HEAD_BYTES)
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    return image_type(head) or "image/png", size
