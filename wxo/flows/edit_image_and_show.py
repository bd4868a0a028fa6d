"""A flow for watsonx Orchestrate: upload an image, have it edited, see the result in the chat."""

from ibm_watsonx_orchestrate.flow_builder.flows import END, Flow, flow
from image_form import ask_and_edit
from pydantic import BaseModel, Field


class Edited(BaseModel):
    """The callback of processImageAsyncToBase64."""

    status: str
    job_id: str
    filename: str = ""
    result_image_base64: str = ""
    result_mime_type: str = ""
    error: str = ""


class Base64(BaseModel):
    """Input of base64_to_image."""

    image_base64: str


class File(BaseModel):
    """Output of base64_to_image: the bytes, which WXO keeps as a file."""

    value: str = Field(json_schema_extra={"format": "binary"})


class Result(BaseModel):
    """What the flow ends with: the image, or why there is none."""

    image: str = Field(default="", description="The edited image.", json_schema_extra={"format": "wxo-file"})
    error: str = Field(default="", description="Why the image could not be edited.")


@flow(
    name="edit_image_and_show",
    display_name="Edit an image and show it",
    description="Asks for an image and a prompt, edits the image and shows the result.",
    output_schema=Result,
)
def build_edit_image_and_show(aflow: Flow) -> Flow:
    """Build the flow."""
    edit = ask_and_edit(aflow, "processImageAsyncToBase64", Edited)

    decode = aflow.tool("base64_to_image", input_schema=Base64, output_schema=File)
    decode.map_input("image_base64", 'flow["edit"].output.result_image_base64')

    branch = aflow.branch(name="edited", evaluator='flow["edit"].output.status == "completed"')
    aflow.edge(edit, branch)
    branch.case(True, decode).case(False, END)
    aflow.edge(decode, END)

    done = 'flow["edit"].output.status == "completed"'
    aflow.map_output("image", f'flow["base64_to_image"].output if {done} else None')
    aflow.map_output("error", 'flow["edit"].output.get("error")')
    return aflow
