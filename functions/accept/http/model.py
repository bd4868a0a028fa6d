"""The base of the models that stand for what callers send and get back."""

from pydantic import BaseModel, ConfigDict

from imagejobs.callbacks import without_null_defaults


class HttpModel(BaseModel):
    """A request, an answer, or a part of one. Its errors quote nothing that a caller sent."""

    model_config = ConfigDict(
        # A request needs few of the models: each is built when it is first used.
        defer_build=True,
        # The service that this one replaces ignored unknown fields too.
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        json_schema_extra=without_null_defaults,
    )
