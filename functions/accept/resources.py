"""What accept works with, beside what every function has."""

from functools import cached_property

from functions.accept.jobs.read import JobReader
from functions.accept.settings import AcceptSecrets, AcceptSettings
from imagejobs.resources import Resources


class AcceptResources(Resources[AcceptSettings]):
    """The wiring of accept."""

    @property
    def secrets(self) -> AcceptSecrets:
        """What the owner filled in; raises the errors of `read_secrets`."""
        return self.owner_secrets(AcceptSecrets)

    @cached_property
    def job_reader(self) -> JobReader:
        """The reader of jobs, with what it remembers for a moment."""
        return JobReader(self.jobs, self.executions, lambda: self.outputs, self.settings)
