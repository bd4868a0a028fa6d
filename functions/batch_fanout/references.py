"""The reference pictures of a batch that are given by URL: fetched once, for all of its images."""

from imagejobs.errors import SourceRefusedError
from imagejobs.image_types import HEAD_BYTES, refusal, sniffed_type
from imagejobs.job_request import MAX_REFERENCE_BYTES, JobRequest, reference_name
from imagejobs.job_store import JobStore
from imagejobs.outbound.policy import OutboundPolicy

# Seconds for the file behind one URL, as for an image_url.
_SECONDS = 30.0


def keep_references(request: JobRequest, store: JobStore, policy: OutboundPolicy) -> None:
    """Fetch what a batch's `reference_urls` name into its record; what is there already is not fetched again.

    Raises:
        SourceRefusedError: policy forbids a URL, its file is not an image, or all of them together are too large.
        SourceUnavailableError: a server did not answer, for the moment.
    """
    left = MAX_REFERENCE_BYTES
    for number in range(1, 1 + request.reference_count):
        name, url = reference_name(number), request.reference_url(number)
        kept = store.bucket.find(store.key(request.job_id, name))
        if kept:
            left -= kept.size
        elif url:
            left -= _fetch(request.job_id, name, url, store, policy, left)


def _fetch(job_id: str, name: str, url: str, store: JobStore, policy: OutboundPolicy, most: int) -> int:
    # Here, since few batches have references.
    from imagejobs.outbound.connection import fetch

    body = fetch(url, policy, max_bytes=most, timeout=_SECONDS, field="reference_urls")
    media_type = sniffed_type(body[:HEAD_BYTES])
    if media_type is None:
        raise SourceRefusedError(f"{name}: {refusal(body)}")
    store.put_input(job_id, body, media_type, name)
    return len(body)
