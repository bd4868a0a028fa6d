"""A small service in the place of the real one, in the form of docs/api.md: for what the client makes of its answers.

Its jobs end when a test says so. What it was asked can be seen, and it fails on demand.
"""

import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from werkzeug import Request, Response

from standins.server import Server, json_response
from tests.support.pictures import picture

EDITED = picture(colour="navy")
OPTIONS = ("model", "quality", "size", "output_format", "output_compression", "mask_key", "reference_keys")
BODIES = {
    "/process-image-async": ("prompt", "filename", "image_base64", "image_key", "image_url", *OPTIONS),
    "/batch-process-images": ("prompt", "folder", "dry_run", "max_cost_usd", *OPTIONS),
}
MODELS: list[dict[str, Any]] = [
    {
        "name": "gpt-image-2.6-flare",
        "engine": "openai",
        "default": True,
        "options": {
            "quality": ["low", "medium", "high"],
            "size": ["auto", "1024x1024"],
            "output_format": ["png", "webp"],
        },
        "mask": True,
        "max_references": 15,
        "price": {"text_input": 5.0, "image_input": 8.0, "output": 30.0, "as_of": "2026-11-04"},
    },
    {"name": "stable-outpaint", "engine": "bedrock", "options": {}, "mask": True, "search": True, "needs": ["mask"]},
]


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any = None
    query: dict[str, str] = field(default_factory=dict)


@dataclass
class ImageJobsStandIn(Server):
    """The service; a context manager. `readings` makes the answers of GET /jobs/{job_id}, one after the other."""

    api_key: str = ""
    fields: dict[str, tuple[str, ...]] = field(default_factory=lambda: dict(BODIES))
    asked: list[Asked] = field(default_factory=list)
    stored: dict[str, bytes] = field(default_factory=dict)
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    upload_method: str = "POST"
    broken_images: set[str] = field(default_factory=set)
    readings: Callable[[dict[str, Any], int], dict[str, Any]] | None = None
    _keys: dict[str, str] = field(default_factory=dict)
    _folders: dict[str, list[str]] = field(default_factory=dict)
    _read: dict[str, int] = field(default_factory=dict)
    _failures: list[tuple[str, str, Response | None]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        super().__init__()

    def fail(self, method: str, path: str, status: int = 0, detail: str = "", times: int = 1, **headers: str) -> None:
        """Answer the next requests so; status 0 breaks the connection off."""
        for _ in range(times):
            made = json_response({"detail": detail}, status) if status else None
            if made is not None:
                made.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
            self._failures.append((method, path, made))

    def posts(self, path: str) -> list[Asked]:
        """The POSTs to a path."""
        return [one for one in self.asked if (one.method, one.path) == ("POST", path)]

    def answer(self, request: Request) -> Response:
        """Answer a request."""
        body = request.get_json(silent=True) if request.mimetype == "application/json" else None
        query = dict(request.args)
        with self._lock:
            self.asked.append(Asked(request.method, request.path, dict(request.headers), body, query))
            for failure in self._failures:
                if request.method == failure[0] and request.path.startswith(failure[1]):
                    self._failures.remove(failure)
                    return failure[2] or self.drop()
        if request.path.startswith("/storage/"):
            return self._store(request)
        if request.path not in ("/health", "/openapi.json") and request.headers.get("x-api-key", "") != self.api_key:
            return json_response({"detail": "the API key is missing or wrong"}, 403)
        return self._route(request.method, request.path.strip("/").split("/"), body or {}, request)

    def _route(self, method: str, path: list[str], body: dict[str, Any], request: Request) -> Response:
        match method, *path:
            case "GET", ("health" | "openapi.json" | "cos" | "models") as name, *_:
                return json_response(self._told(name, path))
            case "POST", "uploads":
                return self._prepare(body)
            case "POST", ("process-image-async" | "batch-process-images") as route:
                return self._start(route, body, request)
            case "GET", "jobs":
                return self._list(request)
            case _, "jobs", job_id, *rest if job_id in self.jobs:
                return self._steer(method, job_id, rest, request)
        return json_response({"detail": "there is no such job of yours, or no such route"}, 404)

    def _told(self, name: str, path: list[str]) -> dict[str, Any]:
        deep = {"ok": True, "checks": {"jobs_bucket": {"ok": True, "ms": 12}}}
        answers: dict[str, dict[str, Any]] = {
            "health": deep if path[1:] else {"ok": True, "mode": "async-callback"},
            "openapi.json": self._document(),
            "cos": {"output_bucket": "output"},
            "models": {"models": MODELS},
        }
        return answers[name]

    def _steer(self, method: str, job_id: str, rest: list[str], request: Request) -> Response:
        if rest == ["images"]:
            return self._images(job_id, request)
        if rest == ["retry"]:
            self.broken_images.clear()
            return self._start("batch-process-images", {"folder": self.jobs[job_id]["folder"]}, request)
        if method == "GET":
            return json_response(self._job(job_id))
        return json_response({"accepted": True, "job_id": job_id}, 204 if rest == ["data"] else 202)

    def _document(self) -> dict[str, Any]:
        def route(names: tuple[str, ...]) -> dict[str, Any]:
            schema: dict[str, Any] = {"properties": {name: {} for name in names}}
            return {"post": {"requestBody": {"content": {"application/json": {"schema": schema}}}}}

        return {"paths": {path: route(names) for path, names in self.fields.items()}}

    def _store(self, request: Request) -> Response:
        key = request.path.removeprefix("/storage/")
        if request.method == "GET":
            return Response(self.stored[key], 200) if key in self.stored else Response("expired", 403)
        content = request.get_data() if request.method == "PUT" else request.files["file"].read()
        if len(content) != int(request.args["length"]) or request.content_length is None:
            return Response("<Error><Message>Your upload has another size</Message></Error>", 400)
        self.stored[key] = content
        return Response("", 204)

    def _prepare(self, body: dict[str, Any]) -> Response:
        def form(key: str, size: int) -> dict[str, Any]:
            fields = {"policy": "x"} if self.upload_method == "POST" else {}
            url = f"{self.base_url}/storage/{key}?length={size}"
            return {"url": url, "method": self.upload_method, "fields": fields}

        if "files" not in body:
            key = str(uuid.uuid4())
            return json_response({"image_key": key, "expires_in": 900, **form(key, body["size"])}, 201)
        folder = body.get("folder") or str(uuid.uuid4())
        files = [one["filename"] for one in body["files"]]
        self._folders.setdefault(folder, []).extend(files)
        forms = [
            {"filename": one["filename"], **form(f"{folder}/{one['filename']}", one["size"])} for one in body["files"]
        ]
        return json_response({"folder": folder, "uploads": forms, "expires_in": 900}, 201)

    def _start(self, route: str, body: dict[str, Any], request: Request) -> Response:
        key = request.headers.get("Idempotency-Key", str(uuid.uuid4()))
        with self._lock:
            job_id = self._keys.setdefault(key, str(uuid.uuid4()))
            self.jobs.setdefault(
                job_id,
                {
                    "job_id": job_id,
                    "operation": "batch" if route.startswith("batch") else "url",
                    "created_at": datetime.now(UTC).isoformat(),
                    "filename": body.get("filename"),
                    "folder": body.get("folder"),
                    "dry_run": body.get("dry_run", False),
                },
            )
        return json_response({"accepted": True, "job_id": job_id}, 202)

    def _job(self, job_id: str) -> dict[str, Any]:
        with self._lock:
            number = self._read[job_id] = self._read.get(job_id, -1) + 1
        return (self.readings or ended)(self._ended(job_id), number)

    def _ended(self, job_id: str) -> dict[str, Any]:
        job = self.jobs[job_id]
        told = {name: job[name] for name in ("job_id", "operation", "created_at")}
        told |= {"status": "completed", "finished_at": datetime.now(UTC).isoformat()}
        told |= {"as_of": datetime.now(UTC).isoformat(), "delivery": {"status": "not_requested", "attempts": 0}}
        if job["operation"] != "batch":
            self.stored[f"results/{job_id}"] = EDITED
            link = {"result_url": f"{self.base_url}/storage/results/{job_id}", "expires_in": 900}
            key = f"results/{job_id}/{job['filename'] or 'image'}_modified.png"
            return told | {"result": {"status": "completed", "job_id": job_id, "object_key": key, **link}}
        files = self._folders[job["folder"]]
        if job["dry_run"]:
            line = f"dry run: {len(files)} images would be edited for about $0.0600. Nothing was edited or paid"
            result = {"status": "completed", "job_id": job_id, "total_files": 0, "errors": [line]}
            return told | {"result": result, "estimate": {"images": len(files), "cost_usd": 0.06}}
        failed = len(self.broken_images & set(files))
        told["status"] = "completed_with_errors" if failed else "completed"
        counts = {"total_files": len(files), "processed": len(files) - failed, "failed": failed, "fallback_local": 0}
        used = {"engine": "openai", "model": MODELS[0]["name"], "images": len(files) - failed, "cost_usd": 0.04}
        result = {"status": told["status"], "job_id": job_id, "duration_seconds": 6.5, "report_url": "x", **counts}
        return told | {"result": result, "usage": {"images": [used], "cost_usd": 0.04}}

    def _images(self, job_id: str, request: Request) -> Response:
        return _page(
            request,
            "images",
            [self._image(file, self.jobs[job_id]) for file in self._folders[self.jobs[job_id]["folder"]]],
        )

    def _image(self, file: str, job: dict[str, Any]) -> dict[str, Any]:
        if file in self.broken_images:
            return {
                "file": file,
                "status": "failed",
                "error": "EngineRejectedError: the prompt was refused",
                "attempts": 1,
            }
        key = f"{job['folder']}/{file}_modified.png"
        self.stored[key] = EDITED
        made = {"engine": "openai", "model": MODELS[0]["name"], "ms": 2150, "cost_usd": 0.02}
        return {"file": file, "status": "completed", **made, "after_url": f"{self.base_url}/storage/{key}?signature=x"}

    def _list(self, request: Request) -> Response:
        told = [{name: job[name] for name in ("job_id", "operation", "created_at")} for job in self.jobs.values()]
        found = [{**one, "status": "completed"} for one in reversed(told)]
        wanted = request.args.get("operation")
        return _page(request, "jobs", [one for one in found if wanted in (None, one["operation"])])


def ended(job: dict[str, Any], _number: int) -> dict[str, Any]:
    """A job that has its result whenever it is read."""
    return job


def _page(request: Request, name: str, entries: list[dict[str, Any]]) -> Response:
    start, limit = int(request.args.get("cursor", 0)), int(request.args.get("limit", 50))
    more = {"next": str(start + limit)} if start + limit < len(entries) else {}
    return json_response({name: entries[start : start + limit], **more})
