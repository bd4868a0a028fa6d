"""EventBridge's "Step Functions Execution Status Change": the fields that the last word needs."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from imagejobs.errors import failure_text
from imagejobs.executions import ExecutionName

_MAX_CAUSE = 1000


class ExecutionEnded(BaseModel):
    """The event's `detail`. Its `input` is left out of large events, so the execution's name says which job it was."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    name: str
    status: Literal["FAILED", "TIMED_OUT", "ABORTED"]
    error: str | None = None
    cause: str | None = None

    @property
    def execution(self) -> ExecutionName | None:
        """The name taken apart; None when it belongs to something else."""
        return ExecutionName.parse(self.name)

    @property
    def reason(self) -> str:
        """How the execution ended, for the caller."""
        match self.status:
            case "TIMED_OUT":
                return "States.Timeout: the job took longer than it may and was ended"
            case "ABORTED":
                return "aborted: the job's execution was stopped before its end"
            case "FAILED":
                return failure_text(self.error or "States.Runtime", (self.cause or "")[:_MAX_CAUSE])
