"""What process_image works with, beside what every function has: where an image comes from, where its edit goes."""

from functools import lru_cache

from functions.process_image.pacing import Pacer
from functions.process_image.settings import ProcessImageSettings
from imagejobs.job_request import JobRequest
from imagejobs.resources import Clients, Resources
from imagejobs.storage import Bucket
from imagejobs.workflow import EditRequest

# What an image may have in bytes as it comes: above what OpenAI takes, since a large BMP or TIFF becomes a small PNG.
MAX_IMAGE_BYTES = 100_000_000
# Seconds for the file behind an `image_url`, from resolving the name to the last byte.
IMAGE_URL_SECONDS = 30.0


class ProcessImageResources(Resources[ProcessImageSettings]):
    """The wiring of process_image."""

    def __init__(self, settings: ProcessImageSettings, clients: Clients | None = None) -> None:
        super().__init__(settings, clients)
        # A request never changes, and all the images of a batch have one.
        self.get_request = lru_cache(maxsize=128)(self.jobs.get_request)
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
            # Here, since only jobs with an image_url need it.
            from imagejobs.outbound.connection import fetch

            return fetch(
                job.image_url, self.settings.source_policy, max_bytes=MAX_IMAGE_BYTES, timeout=IMAGE_URL_SECONDS
            )
        return self.jobs.bucket.get(self.jobs.key(job.job_id, "input"), MAX_IMAGE_BYTES).body

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
