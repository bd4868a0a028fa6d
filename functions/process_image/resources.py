"""What process_image works with, beside what every function has: where an image comes from, where its edit goes."""

from collections.abc import Iterator
from functools import lru_cache

from functions.process_image.beside import Beside, prepared
from functions.process_image.pacing import Pacer
from functions.process_image.settings import ProcessImageSettings
from imagejobs.job_request import MASK, MAX_REFERENCE_BYTES, JobRequest, reference_name
from imagejobs.resources import Clients, Resources
from imagejobs.storage import Bucket
from imagejobs.workflow import EditRequest

# What an image may have in bytes as it comes: above what OpenAI takes, since a large BMP or TIFF becomes a small PNG.
MAX_IMAGE_BYTES = 100_000_000
# Seconds for the file behind a URL, from resolving the name to the last byte.
IMAGE_URL_SECONDS = 30.0


class ProcessImageResources(Resources[ProcessImageSettings]):
    """The wiring of process_image."""

    def __init__(self, settings: ProcessImageSettings, clients: Clients | None = None) -> None:
        super().__init__(settings, clients)
        # A request never changes, and all the images of a batch have one.
        self.get_request = lru_cache(maxsize=128)(self.jobs.get_request)
        # All the images of a batch have the same pictures beside them.
        self.beside = lru_cache(maxsize=1)(self._read_beside)
        # Once for a bucket is enough.
        self._require = lru_cache(maxsize=1)(Bucket.require)

    def input_key(self, edit_request: EditRequest) -> str:
        """The key of a batch's image in the input bucket, as the manifest has it; empty for a single image."""
        if edit_request.at is None:
            return ""
        return self.jobs.manifest_line(edit_request.job_id, edit_request.at).key

    def read_input(self, job: JobRequest, input_key: str) -> bytes:
        """Read the image that is to be edited, of at most MAX_IMAGE_BYTES."""
        if input_key:
            return self.inputs.get(input_key, MAX_IMAGE_BYTES).body
        if job.image_url:
            return self._fetched(job.image_url, MAX_IMAGE_BYTES, "image_url")
        return self._kept(job, "input", MAX_IMAGE_BYTES)

    def _read_beside(self, job_id: str, room: int | None = None) -> Beside:
        """Read and prepare what a job has beside its image, within `room`: `self.beside` does so once for a job."""
        job = self.get_request(job_id)
        mask = self._kept(job, MASK, MAX_IMAGE_BYTES) if job.mask else None
        return prepared(self._references(job), job.reference_count, mask, self.settings.max_image_pixels, room)

    def _references(self, job: JobRequest) -> Iterator[bytes]:
        """The reference pictures, of at most MAX_REFERENCE_BYTES together. Those of a batch are all kept."""
        left = MAX_REFERENCE_BYTES
        for number in range(1, 1 + job.reference_count):
            url = None if job.operation == "batch" else job.reference_url(number)
            body = self._fetched(url, left, "reference_urls") if url else self._kept(job, reference_name(number), left)
            left -= len(body)
            yield body

    def _kept(self, job: JobRequest, name: str, max_bytes: int) -> bytes:
        return self.jobs.bucket.get(self.jobs.key(job.job_id, name), max_bytes).body

    def _fetched(self, url: str, max_bytes: int, field: str) -> bytes:
        # Here, since only jobs with a URL need it.
        from imagejobs.outbound.connection import fetch

        policy = self.settings.source_policy
        return fetch(url, policy, max_bytes=max_bytes, timeout=IMAGE_URL_SECONDS, field=field)

    def pacer(self, engine: str) -> Pacer:
        """The queue of the images that wait for an engine's rate limit."""
        return Pacer(self.jobs.bucket, engine)

    def output_bucket(self, edit_request: EditRequest) -> Bucket:
        """The bucket that the edit goes to, which is there: nothing is paid for that could not be kept."""
        if edit_request.operation == "base64":
            return self.jobs.bucket
        outputs = self.outputs
        self._require(outputs)
        return outputs
