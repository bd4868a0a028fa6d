"""The local transform as an engine: it takes no options, and no time worth waiting for."""

from dataclasses import dataclass
from time import monotonic

from functions.process_image import fallback
from functions.process_image.engines.engine import Edit, OnUsage, Task, Usage
from imagejobs.catalogue import LOCAL


@dataclass(frozen=True)
class LocalEngine:
    """Inverts the picture and sets `watermark` on it; what else a task holds is passed over."""

    watermark: str
    max_pixels: int

    def edit(self, task: Task, on_usage: OnUsage) -> Edit:  # noqa: ARG002 (an engine's signature: nothing is charged)
        """Edit a picture; raises what `fallback.invert` raises."""
        started = monotonic()
        body = fallback.invert(task.pictures[0].body, self.watermark, self.max_pixels)
        return Edit(
            body, fallback.MEDIA_TYPE, LOCAL, str(task.options.model), Usage(round((monotonic() - started) * 1000))
        )
