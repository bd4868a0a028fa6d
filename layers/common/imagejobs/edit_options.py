"""How an image is to be edited, beside the prompt: what a caller may choose, and what the engines are told."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

type OutputFormat = Literal["png", "jpeg", "webp"]
type Background = Literal["transparent", "opaque", "auto"]


class EditOptions(BaseModel):
    """A caller's choices. Whatever is absent is the model's own default, or the stack's for OpenAI's models.

    Which model takes which of them, `catalogue` says.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    model: str | None = None
    quality: str | None = None
    # Width and height, as "1024x1536", or "auto".
    size: str | None = None
    output_format: OutputFormat | None = None
    # In percent, of JPEG and WebP.
    output_compression: Annotated[int, Field(ge=0, le=100)] | None = None
    background: Background | None = None
    # What in the picture is meant, for models that look for a thing by its description.
    search: Annotated[str, Field(min_length=1, max_length=1000)] | None = None

    @property
    def chosen(self) -> dict[str, str | int]:
        """The options that are there, by name."""
        return self.model_dump(exclude_none=True)
