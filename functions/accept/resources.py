"""What accept works with, beside what every function has."""

from functools import cached_property

from functions.accept.jobs.read import JobReader
from functions.accept.settings import AcceptSettings
from imagejobs.resources import Resources


class AcceptResources(Resources[AcceptSettings]):
    """The wiring of accept."""

    @cached_property
    def job_reader(self) -> JobReader:
        """The reader of jobs, with what it remembers for a moment."""
        return JobReader(self.jobs, self.executions, lambda: self.outputs, self.settings)
