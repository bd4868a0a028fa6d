"""How pictures are to be edited, as the commands take it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagejobs_cli.session import Session
from imagejobs_client import EditOptions


@dataclass(frozen=True)
class Choices:
    """The options of an edit, a mask, and pictures to go by."""

    options: dict[str, Any]
    mask: Path | None
    references: tuple[Path, ...]

    def upload(self, session: Session, output_format: str | None = None) -> EditOptions:
        """Upload the pictures, and give all as the client takes it; `output_format` counts where none is given."""
        given = {**self.options, "output_format": self.options["output_format"] or output_format}
        mask_key = session.client.upload(self.mask) if self.mask else None
        references = tuple(session.client.upload(path) for path in self.references)
        return EditOptions(**given, mask_key=mask_key, reference_keys=references)
