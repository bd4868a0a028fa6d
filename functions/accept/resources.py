"""What accept works with, beside what every function has."""

from functools import cached_property
from urllib.parse import urlsplit

from functions.accept.jobs.read import JobReader
from functions.accept.settings import AcceptSecrets, AcceptSettings
from imagejobs.resources import Clients, Patience, Resources


class AcceptResources(Resources[AcceptSettings]):
    """The wiring of accept."""

    def __init__(self, settings: AcceptSettings, clients: Clients | None = None) -> None:
        # API Gateway waits 29 s: a service that hangs is told as a 503 of accept's own well before.
        super().__init__(settings, clients or Clients(Patience(connect=2, read=6, attempts=2)))

    @property
    def secrets(self) -> AcceptSecrets:
        """What the owner filled in; raises the errors of `read_secrets`."""
        return self.owner_secrets(AcceptSecrets)

    @property
    def storage_origins(self) -> tuple[str, ...]:
        """Scheme and host of the links to images and forms, which a page has to name to its browser."""
        buckets = (self.jobs.bucket, self.inputs, self.outputs)
        links = (urlsplit(bucket.presigned_url("x", 60)) for bucket in buckets)
        return tuple(sorted({f"{link.scheme}://{link.netloc}" for link in links}))

    @cached_property
    def job_reader(self) -> JobReader:
        """The reader of jobs, with what it remembers."""
        return JobReader(self.jobs, self.executions, lambda: self.outputs, self.settings)
