"""What EventBridge sends: how an execution ended, and that it is time to sweep."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from imagejobs.errors import failure_text
from imagejobs.executions import ExecutionName

_MAX_CAUSE = 1000


class ExecutionEnded(BaseModel):
    """The `detail` of "Step Functions Execution Status Change": what the last word needs of it.

    Its `input` is left out of large events, so the execution's name says which job it was.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

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


class SweepRequest(BaseModel):
    """Which ended executions to look at: those of the last `hours`, but for the last `grace_seconds`.

    An event takes moments to arrive. A day outlasts an outage of the sweeper itself.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    action: Literal["sweep"]
    hours: Annotated[float, Field(gt=0)] = 24
    grace_seconds: Annotated[float, Field(ge=0)] = 300

    def period(self) -> tuple[datetime, datetime]:
        """From when until when an execution must have ended."""
        now = datetime.now(UTC)
        return now - timedelta(hours=self.hours), now - timedelta(seconds=self.grace_seconds)
