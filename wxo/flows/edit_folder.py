"""A flow for watsonx Orchestrate: edit every image of the input bucket, and tell what became of them."""

from ibm_watsonx_orchestrate.flow_builder.flows import END, START, Flow, flow
from image_form import IN_BODY
from pydantic import BaseModel, Field


class Instructions(BaseModel):
    """What the flow asks for."""

    prompt: str = Field(description="What to do with every image.")


class BatchInput(BaseModel):
    """Input of batchProcessImages."""

    prompt: str = Field(json_schema_extra=IN_BODY)


class Batch(BaseModel):
    """The callback of batchProcessImages, and what the flow ends with."""

    status: str = Field(description="completed, completed_with_errors or failed.")
    job_id: str = Field(description="The job's id.")
    total_files: int = Field(description="Images found.")
    processed: int = Field(description="Images edited, by the local fallback too.")
    failed: int = Field(description="Images that could not be edited.")
    fallback_local: int = Field(description="Of processed, those made by the local fallback.")
    total_files_processed: int = Field(description="Equals processed.")
    duration_seconds: float = Field(description="From the request to the result.")
    output_bucket: str = Field(description="The bucket with the results.")
    output_prefix: str = Field(description="Where in it they are.")
    errors: list[str] = Field(description="Up to 20 errors.")
    error: str = Field(default="", description="Why the batch could not run.")


@flow(
    name="edit_folder",
    display_name="Edit the images of a folder",
    description="Edits every image of the input bucket as the prompt asks and tells where the results are.",
    input_schema=Instructions,
    output_schema=Batch,
)
def build_edit_folder(aflow: Flow) -> Flow:
    """Build the flow."""
    batch = aflow.tool("batchProcessImages", name="batch", input_schema=BatchInput, output_schema=Batch)
    batch.map_input("prompt", "flow.input.prompt")
    aflow.sequence(START, batch, END)
    for name in Batch.model_fields:
        aflow.map_output(name, f'flow["batch"].output.get("{name}")')
    return aflow
