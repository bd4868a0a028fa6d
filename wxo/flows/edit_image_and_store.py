"""A flow for watsonx Orchestrate: upload an image, have it edited and stored, get a link to the result."""

from ibm_watsonx_orchestrate.flow_builder.flows import END, Flow, flow
from image_form import ask_and_edit
from pydantic import BaseModel, Field


class Stored(BaseModel):
    """The callback of processImageAsyncToCos."""

    status: str
    job_id: str
    filename: str = ""
    object_key: str = ""
    result_url: str = ""
    expires_in: int = 0
    error: str = ""


class Result(BaseModel):
    """What the flow ends with: the link, or why there is none."""

    result_url: str = Field(default="", description="A link to the edited image.")
    expires_in: int = Field(default=0, description="Seconds that the link works.")
    object_key: str = Field(default="", description="The image's key in object storage.")
    error: str = Field(default="", description="Why the image could not be edited.")


@flow(
    name="edit_image_and_store",
    display_name="Edit an image and store it",
    description="Asks for an image and a prompt, edits the image, stores the result and gives a link to it.",
    output_schema=Result,
)
def build_edit_image_and_store(aflow: Flow) -> Flow:
    """Build the flow."""
    edit = ask_and_edit(aflow, "processImageAsyncToCos", Stored)
    aflow.edge(edit, END)
    for name in Result.model_fields:
        aflow.map_output(name, f'flow["edit"].output.get("{name}")')
    return aflow
