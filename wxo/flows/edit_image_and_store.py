"""A flow for watsonx Orchestrate: upload an image, have it edited and stored, get a link to the result."""

from ibm_watsonx_orchestrate.flow_builder.flows import Flow, flow
from parts import Outcome, Steps, ask_and_edit
from pydantic import Field


class Result(Outcome):
    """What the flow ends with: the link, or why there is none."""

    result_url: str = Field(default="", description="A link to the edited image.")
    expires_in: int = Field(default=0, description="Seconds that the link works.")
    object_key: str = Field(default="", description="The image's key in object storage.")


@flow(
    name="edit_image_and_store",
    display_name="Edit an image and store it",
    description="Asks the user for an image file and a prompt, edits the image, stores the result and gives a link to "
    "it. Use it when an image from the user's computer is to be edited and kept or shared. Do not use it for an image "
    "at a web address (editImage) or for a folder (edit_folder). Each run costs one edit, cents of a US dollar. Gives "
    "back status, job_id and, when completed, result_url, which works for expires_in seconds; otherwise error says "
    "why. Example: 'Make the background of my photo white and send me a link.'",
    output_schema=Result,
    private_schema=Result,
    suppress_agent_summarization=False,
)
def build_edit_image_and_store(aflow: Flow) -> Flow:
    """Build the flow."""
    steps = Steps(aflow, Result)
    stored = steps.ends(
        "stored",
        status="'completed'",
        **{name: f'flow["edit"].output.{name}' for name in ("job_id", "result_url", "expires_in", "object_key")},
    )
    ask_and_edit(aflow, steps, stored)
    return aflow
