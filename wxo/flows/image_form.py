"""What the two flows for a single image have in common: the upload form, and the call of the tool.

Flows name their tools; a node's schemas are given here, flat, each input marked as part of the request's body: that is
how WXO's flow builder shows an imported OpenAPI tool. Form and fields have one and the same name and label, since WXO
finds some by the name and some by the label.
"""

from ibm_watsonx_orchestrate.flow_builder.flows import END, START, Flow, UserNode
from ibm_watsonx_orchestrate.flow_builder.node import ToolNode
from pydantic import BaseModel, Field

IN_BODY = {"in": "body"}
UPLOAD = 'flow["Source"]["Upload"].output'
# More does not pass the API as base64: an event of Lambda ends at 6 MB.
MAX_MEGABYTES = 4


class File(BaseModel):
    """Input of image_to_base64."""

    image: str = Field(json_schema_extra={"format": "binary"})


class EncodedImage(BaseModel):
    """Output of image_to_base64."""

    image_base64: str


class EditInput(BaseModel):
    """Input of the two tools for a single image."""

    prompt: str = Field(json_schema_extra=IN_BODY)
    image_base64: str = Field(json_schema_extra=IN_BODY)
    filename: str = Field(default="", json_schema_extra=IN_BODY)


def ask_and_edit(aflow: Flow, tool: str, result: type[BaseModel]) -> ToolNode:
    """Add the form, the encoding and the call of `tool`, which wait for one another; the node of the call."""
    user_flow = aflow.userflow(name="Source", display_name="Source")
    form: UserNode = user_flow.form(name="Upload", display_name="Upload", submit_button_label="Edit")
    form.text_input_field(name="Prompt", label="Prompt", required=True, help_text="What to do with the image")
    form.file_upload_field(
        name="Image",
        label="Image",
        required=True,
        file_max_size=MAX_MEGABYTES,
        supported_file_types=[".png", ".jpg", ".jpeg", ".webp"],
    )
    user_flow.edge(START, form).edge(form, END)

    encode = aflow.tool("image_to_base64", input_schema=File, output_schema=EncodedImage)
    encode.map_input("image", f'{UPLOAD}["Image"]')

    name = aflow.script(name="file_name", script=f'self.output.filename = system.file.get_name({UPLOAD}["Image"])')

    edit = aflow.tool(tool, name="edit", display_name="edit", input_schema=EditInput, output_schema=result)
    edit.map_input("prompt", f'{UPLOAD}["Prompt"]')
    edit.map_input("image_base64", 'flow["image_to_base64"].output.image_base64')
    edit.map_input("filename", 'flow["file_name"].output.filename')
    aflow.sequence(START, user_flow, encode, name, edit)
    return edit
