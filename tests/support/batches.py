"""What ListImages leaves of a batch."""

from imagejobs.job_store import JobStore
from imagejobs.workflow import ManifestLine


def put_manifest(store: JobStore, job_id: str, keys: list[str], size: int = 7) -> dict[str, int]:
    """Write a batch's manifest; gives where each key's line begins."""
    places: dict[str, int] = {}
    body = b""
    for key in keys:
        places[key] = len(body)
        body += ManifestLine(at=len(body), key=key, size=size).model_dump_json(ensure_ascii=True).encode() + b"\n"
    store.bucket.put(store.key(job_id, "manifest.jsonl"), body, "application/jsonl")
    return places
