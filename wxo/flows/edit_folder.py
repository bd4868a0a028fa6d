"""A flow for watsonx Orchestrate: edit every image of the input bucket, and tell what became of them."""

from ibm_watsonx_orchestrate.flow_builder.flows import START, Flow, flow
from parts import IN_BODY, Outcome, Steps
from pydantic import BaseModel, Field


class Instructions(BaseModel):
    """What the flow asks for."""

    prompt: str = Field(description="What to do with every image.")


class BatchInput(BaseModel):
    """Input of batchProcessImages."""

    prompt: str = Field(json_schema_extra=IN_BODY)


class Batch(BaseModel):
    """The callback of batchProcessImages."""

    status: str
    job_id: str
    total_files: int
    processed: int
    failed: int
    fallback_local: int
    total_files_processed: int
    duration_seconds: float
    output_bucket: str
    output_prefix: str
    errors: list[str]
    error: str = ""


class Result(Outcome):
    """What the flow ends with."""

    total_files: int = Field(default=0, description="Images found.")
    processed: int = Field(default=0, description="Images edited, by the local fallback too.")
    failed: int = Field(default=0, description="Images that could not be edited.")
    fallback_local: int = Field(default=0, description="Of processed, those made by the local fallback.")
    total_files_processed: int = Field(default=0, description="Equals processed.")
    duration_seconds: float = Field(default=0.0, description="From the request to the result.")
    output_bucket: str = Field(default="", description="The bucket with the results.")
    output_prefix: str = Field(default="", description="Where in it they are.")
    errors: list[str] = Field(default_factory=list, description="Up to 20 errors.")


@flow(
    name="edit_folder",
    display_name="Edit the images of a folder",
    description="Edits every image of the configured folder as the prompt asks. Use it when the user wants the whole "
    "folder edited and has said yes to the number of images and the cost, which batchProcessImages with dry_run true "
    "tells. Do not use it for one image (edit_image_and_show) or for a part of the folder (batchProcessImages with "
    "prefix or max_files). It costs one edit for each image. Gives back status, the counts total_files, processed and "
    "failed, where the results are (output_bucket, output_prefix) and up to 20 errors. Example: 'Put all our product "
    "photos on a white background.'",
    input_schema=Instructions,
    output_schema=Result,
    private_schema=Result,
    suppress_agent_summarization=False,
)
def build_edit_folder(aflow: Flow) -> Flow:
    """Build the flow."""
    steps = Steps(aflow, Result)
    told = {name: f'flow["batch"].output.{name}' for name in Batch.model_fields if name != "error"}
    batch = steps.tool(
        "batch",
        "batchProcessImages",
        (BatchInput, Batch),
        steps.ends(
            "batch_refused",
            status="'refused'",
            error="'The service did not accept the batch. Its reason is in this run of the flow, at the node batch.'",
        ),
        prompt="flow.input.prompt",
    )
    aflow.sequence(START, steps.begin, batch)
    done = steps.ends("done", **told)
    failed = steps.ends("failed", **told, error='flow["batch"].output.error')
    steps.branch(batch, "could_run", 'flow["batch"].output.status != "failed"', done, failed)
    return aflow
