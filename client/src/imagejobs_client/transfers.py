"""Bytes to and from the storage: uploads by form, downloads to a file. The service's key is never sent there."""

import filecmp
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import BinaryIO, cast

import httpx2

from imagejobs_client.errors import TransferError
from imagejobs_client.models import UploadForm
from imagejobs_client.transport import USER_AGENT, Retries, Wire

type OnBytes = Callable[[int], None]

_TIMEOUT = httpx2.Timeout(60, connect=10)
_CHUNK = 256 * 1024


class _Counted:
    """A file that says how many of its bytes were read."""

    def __init__(self, file: BinaryIO, on_bytes: OnBytes) -> None:
        self._file = file
        self._on_bytes = on_bytes
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = -1, /) -> bytes:
        chunk = self._file.read(size)
        self._on_bytes(len(chunk))
        return chunk

    def __iter__(self) -> Iterator[bytes]:
        while chunk := self.read(_CHUNK):
            yield chunk


class Transfers:
    """Uploads and downloads over one pool of connections, each tried again for a time. Threads may share it."""

    def __init__(self, retries: Retries, wire: Wire) -> None:
        self._retries = retries
        self._http = httpx2.Client(headers={"User-Agent": USER_AGENT}, timeout=_TIMEOUT, **wire)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def upload(
        self, form: UploadForm, file: BinaryIO, content_type: str, size: int, on_bytes: OnBytes = lambda _: None
    ) -> None:
        """Send a file by its form, or by a PUT where the storage takes no forms.

        `on_bytes` is told of bytes as they go, and of a negative number when they go anew.
        Raises TransferError with the storage's own message.
        """
        name = form.filename or "file"

        def send() -> httpx2.Response:
            sent = 0

            def counted(read: int) -> None:
                nonlocal sent
                sent += read
                on_bytes(read)

            file.seek(0)
            try:
                content = _Counted(file, counted)
                if form.method == "PUT":
                    # S3 and COS take no chunked body: the length is told first.
                    headers = {"Content-Length": str(size), **form.fields}
                    answer = self._http.put(form.url, content=content, headers=headers)
                else:
                    files = {"file": ("file", cast(BinaryIO, content), content_type)}
                    answer = self._http.post(form.url, data=form.fields, files=files)
            except httpx2.TransportError:
                on_bytes(-sent)
                raise
            if not answer.is_success:
                on_bytes(-sent)
            return answer

        self._try(send, f"the upload of {name}")

    def download(self, url: str, target: Path, on_bytes: OnBytes = lambda _: None) -> int:
        """Fetch a link into a file, and give back its size. The file appears when it is whole, or not at all."""
        with self._fetched(url, target.parent, on_bytes) as whole:
            size = whole.stat().st_size
            whole.replace(target)
        return size

    def download_anew(self, url: str, target: Path) -> Path:
        """Fetch a link into a file that overwrites no other, and give back its path.

        Where another file has the name, the new one gets a number. A file with the same bytes stays as it is.
        """
        with self._fetched(url, target.parent) as whole:
            for path in numbered(target):
                try:
                    path.touch(exist_ok=False)
                except FileExistsError:
                    if path.is_file() and filecmp.cmp(whole, path, shallow=False):
                        return path
                else:
                    whole.replace(path)
                    return path
        raise AssertionError("numbers do not end")

    @contextmanager
    def _fetched(self, url: str, folder: Path, on_bytes: OnBytes = lambda _: None) -> Iterator[Path]:
        """A link's content in a temporary file, which is there until the block ends or renames it."""
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f".{uuid.uuid4()}.part"
        try:
            with temporary.open("xb") as file:
                self.fetch(url, file, on_bytes)
            yield temporary
        finally:
            temporary.unlink(missing_ok=True)

    def fetch(self, url: str, file: BinaryIO, on_bytes: OnBytes = lambda _: None) -> int:
        """Fetch a link into an open file, piece by piece, and give back the size."""

        def receive() -> httpx2.Response:
            file.seek(0)
            file.truncate()
            with self._http.stream("GET", url) as answer:
                if not answer.is_success:
                    answer.read()
                    return answer
                for chunk in answer.iter_bytes(_CHUNK):
                    file.write(chunk)
                    on_bytes(len(chunk))
            return answer

        self._try(receive, "the download")
        return file.tell()

    def _try(self, send: Callable[[], httpx2.Response], what: str) -> None:
        tried = 0
        while True:
            tried += 1
            try:
                answer = send()
            except httpx2.TransportError as error:
                if not self._retries.wait(tried, None):
                    raise TransferError(f"{what} broke off: {error}") from error
                continue
            if answer.is_success:
                return
            if answer.status_code < 500 or not self._retries.wait(tried, None):
                told = f"the storage answered {answer.status_code}{_message(answer.text)}"
                raise TransferError(f"{what}: {told}", answer.status_code)


def numbered(path: Path) -> Iterator[Path]:
    """A path, then the same with a number: `a.png`, `a-2.png`, `a-3.png` …"""
    yield path
    for number in count(2):
        yield path.with_stem(f"{path.stem}-{number}")


def _message(xml: str) -> str:
    """What S3's error says: `<Error><Code>…</Code><Message>…</Message>`."""
    _, _, rest = xml.partition("<Message>")
    message, found, _ = rest.partition("</Message>")
    return f": {message}" if found else ""
