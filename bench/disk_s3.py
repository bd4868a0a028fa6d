"""As much of S3 as a batch's lists take, on files of a folder, in a process that is not measured."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from shutil import copyfileobj
from threading import Thread
from urllib.parse import parse_qs, urlsplit

_PAGE = 1000


@contextmanager
def serve(folder: Path, images: int) -> Iterator[str]:
    """Serve a folder's files as objects, and list `images` keys in the bucket `input`; gives the server's URL."""
    handler = type("Handler", (_Handler,), {"folder": folder, "images": images})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    folder: Path
    images: int

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        if "list-type" in self._query:
            self._answer(self._page(int(self._query.get("continuation-token", ["0"])[0])))
            return
        path = self._file()
        self.send_response(200)
        self.send_header("Content-Length", str(path.stat().st_size))
        self.send_header("ETag", '"1"')
        self.end_headers()
        with path.open("rb") as file:
            copyfileobj(file, self.wfile)

    def do_POST(self) -> None:
        """Begin a multipart upload, or complete it: its parts come one after the other."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        root = "CompleteMultipartUploadResult"
        if "uploads" in self._query:
            root = "InitiateMultipartUploadResult"
            self._file().write_bytes(b"")
        self._answer(f"<{root}><UploadId>1</UploadId></{root}>".encode())

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self._file().open("ab" if "partNumber" in self._query else "wb") as file:
            file.write(body)
        self._answer()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        pass

    @property
    def _query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.path).query, keep_blank_values=True)

    def _file(self) -> Path:
        return self.folder / urlsplit(self.path).path.strip("/").replace("/", "+")

    def _page(self, start: int) -> bytes:
        images = self.images if urlsplit(self.path).path.strip("/") == "input" else 0
        end = min(start + _PAGE, images)
        more = f"<NextContinuationToken>{end}</NextContinuationToken>" if end < images else ""
        entries = "".join(
            f"<Contents><Key>photos/{number:08}.jpg</Key><Size>2000000</Size></Contents>"
            for number in range(start, end)
        )
        truncated = str(bool(more)).lower()
        listing = f"<IsTruncated>{truncated}</IsTruncated>{more}{entries}"
        return f"<ListBucketResult>{listing}</ListBucketResult>".encode()

    def _answer(self, body: bytes = b"") -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"1"')
        self.end_headers()
        self.wfile.write(body)
