"""One measured figure, as `make bench` prints it."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Figure:
    """A value, and the target that it is good when at most."""

    name: str
    value: float
    target: float
    unit: str

    @property
    def reached(self) -> bool:
        """Whether the value is good."""
        return self.value <= self.target

    def row(self) -> dict[str, Any]:
        """The figure as a line of JSON has it."""
        value = round(self.value, 3)
        return {"figure": self.name, "value": value, "unit": self.unit, "target": self.target, "reached": self.reached}
