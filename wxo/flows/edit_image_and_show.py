"""A flow for watsonx Orchestrate: upload an image, have it edited, see the result in the chat."""

from ibm_watsonx_orchestrate.flow_builder.flows import Flow, flow
from parts import Outcome, Steps, ask_and_edit
from pydantic import BaseModel, Field

JOB_ID = 'flow["edit"].output.job_id'


class Result(Outcome):
    """What the flow ends with: the image, or why there is none."""

    image: str = Field(default=None, description="The edited image.", json_schema_extra={"format": "wxo-file"})
    result_url: str = Field(default="", description="A link to the edited image, when it cannot be shown.")


class Job(BaseModel):
    """Input of fetch_result."""

    job_id: str


class Image(BaseModel):
    """Output of fetch_result: the bytes, which WXO keeps as a file."""

    value: str = Field(json_schema_extra={"format": "binary"})


@flow(
    name="edit_image_and_show",
    display_name="Edit an image and show it",
    description="Asks the user for an image file and a prompt, edits the image and shows the result in the chat. Use "
    "it when an image from the user's computer is to be edited and seen. Do not use it for an image at a web address "
    "(editImage) or for a folder (edit_folder). Each run costs one edit, cents of a US dollar. Gives back status, "
    "job_id and, when completed, image; otherwise error says why. Example: 'Replace the sky in my photo by a sunset.'",
    output_schema=Result,
    private_schema=Result,
)
def build_edit_image_and_show(aflow: Flow) -> Flow:
    """Build the flow."""
    steps = Steps(aflow, Result)
    fetch = steps.tool(
        "fetch",
        "fetch_result",
        (Job, Image),
        steps.ends(
            "fetch_failed",
            status="'completed'",
            job_id=JOB_ID,
            result_url='flow["edit"].output.result_url',
            error="'The image was edited, but it could not be brought here: open result_url.'",
        ),
        retries=2,
        job_id=JOB_ID,
    )
    shown = steps.ends("shown", status="'completed'", job_id=JOB_ID, image='flow["fetch"].output')
    aflow.edge(fetch, shown)
    ask_and_edit(aflow, steps, fetch)
    return aflow
