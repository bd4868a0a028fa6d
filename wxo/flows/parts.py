"""What the flows have in common: the upload form, steps that may fail, and the one end that every path leads to.

IBM's builder guide says that outputs which are mapped from a branch arrive as an empty {} and asks for one script node
before the end that sets them all; IBM's examples map outputs. A flow here does both, from that one node. What the paths
find out they keep in the flow's private state, which the first node fills in: no path reads a node that did not run.

Flows name their tools; a node's schemas are given here, flat, each input marked as part of the request's body: that is
how WXO's flow builder shows an imported OpenAPI tool. Form and fields have one and the same name and label, since WXO
finds some by the name and some by the label.
"""

from ibm_watsonx_orchestrate.flow_builder.flows import END, START, Flow, UserFlow, UserNode
from ibm_watsonx_orchestrate.flow_builder.flows.flow import Branch
from ibm_watsonx_orchestrate.flow_builder.node import Node, ScriptNode, ToolNode
from ibm_watsonx_orchestrate.flow_builder.types import NodeErrorHandlerConfig
from pydantic import BaseModel, Field

IN_BODY = {"in": "body"}
FORM = 'flow["Source"]["Upload"].output'
# What POST /uploads takes.
MAX_MEGABYTES = 50
FILE_TYPES = [".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic"]
RETRY_INTERVAL_MS = 2000


class Outcome(BaseModel):
    """What every flow ends with, whatever happened."""

    status: str = Field(
        default="",
        description="completed; completed_with_errors: some images of a folder failed; failed: the edit failed; "
        "refused: there was no job to begin with.",
    )
    job_id: str = Field(default="", description="The job's id, for getJob and fetch_result.")
    error: str = Field(default="", description="Why it failed or was refused, and what to do.")


class Steps:
    """The steps of a flow whose outputs are the fields of `outputs`: each has a default and is set on every path."""

    def __init__(self, aflow: Flow, outputs: type[BaseModel]) -> None:
        self._flow = aflow
        defaults = {name: field.get_default(call_default_factory=True) for name, field in outputs.model_fields.items()}
        self.begin = aflow.script(name="begin", script=_lines(_kept(defaults)))
        self._result = aflow.script(
            name="result",
            script=_lines({f"self.output.{name}": f"flow.private.{name}" for name in defaults}),
            output_schema=outputs,
        )
        aflow.edge(self._result, END)
        for name in defaults:
            aflow.map_output(name, f'flow["result"].output.{name}')

    def ends(self, name: str, **values: str) -> ScriptNode:
        """A node that keeps the values of these expressions as the flow's outputs, and ends it."""
        node = self._flow.script(
            name=name, script=_lines({f"flow.private.{key}": text for key, text in values.items()})
        )
        self._flow.edge(node, self._result)
        return node

    def tool(
        self,
        name: str,
        tool: str,
        schemas: tuple[type[BaseModel], type[BaseModel]],
        failed: ScriptNode,
        *,
        retries: int = 0,
        **inputs: str,
    ) -> ToolNode:
        """A node that calls a tool with the values of these expressions; when that fails, `failed` is next.

        `failed` cannot quote the reason: IBM's page "Handling errors" names nothing that has a failed node's error.
        """
        edge = f"{name}_error"
        handler = NodeErrorHandlerConfig(
            error_message=f"The tool {tool} failed.",
            max_retries=retries,
            retry_interval=RETRY_INTERVAL_MS,
            on_error="branch",
            error_edge_id=edge,
        )
        takes, gives = schemas
        node = self._flow.tool(
            tool, name=name, display_name=name, input_schema=takes, output_schema=gives, error_handler_config=handler
        )
        for field, expression in inputs.items():
            node.map_input(field, expression)
        self._flow.edge(node, failed, id=edge)
        return node

    def branch(self, after: Node, name: str, condition: str, then: Node, otherwise: Node) -> Branch:
        """Go on from `after` with `then` where the condition holds, and with `otherwise` where it does not."""
        node = self._flow.branch(name=name, evaluator=condition)
        self._flow.edge(after, node)
        node.case(True, then).case(False, otherwise)
        return node


class File(BaseModel):
    """Input of upload_image."""

    image: str = Field(json_schema_extra={"format": "wxo-file"})


class Uploaded(BaseModel):
    """Output of upload_image."""

    image_key: str
    filename: str
    error: str


class EditInput(BaseModel):
    """Input of processImageAsyncToCos."""

    prompt: str = Field(json_schema_extra=IN_BODY)
    image_key: str = Field(json_schema_extra=IN_BODY)
    filename: str = Field(default="", json_schema_extra=IN_BODY)


class Stored(BaseModel):
    """The callback of processImageAsyncToCos."""

    status: str
    job_id: str
    filename: str = ""
    object_key: str = ""
    result_url: str = ""
    expires_in: int = 0
    error: str = ""


def ask_and_edit(aflow: Flow, steps: Steps, done: Node) -> None:
    """Add the form, the upload and the edit; after a completed edit `done` is next."""
    form = _form(aflow)
    upload = steps.tool(
        "upload",
        "upload_image",
        (File, Uploaded),
        steps.ends(
            "upload_failed",
            status="'refused'",
            error="'The image could not be uploaded: the service or its storage was not reached. Try again later.'",
        ),
        retries=2,
        image=f'{FORM}["Image"]',
    )
    edit = steps.tool(
        "edit",
        "processImageAsyncToCos",
        (EditInput, Stored),
        steps.ends(
            "edit_refused",
            status="'refused'",
            error="'The service did not accept the edit. Its reason is in this run of the flow, at the node edit.'",
        ),
        prompt=f'{FORM}["Prompt"]',
        image_key='flow["upload"].output.image_key',
        filename='flow["upload"].output.filename',
    )
    aflow.sequence(START, steps.begin, form, upload)
    refused = steps.ends("upload_refused", status="'refused'", error='flow["upload"].output.error')
    steps.branch(upload, "uploaded", 'flow["upload"].output.error == ""', edit, refused)
    failed = steps.ends(
        "edit_failed",
        status="'failed'",
        job_id='flow["edit"].output.job_id',
        error='flow["edit"].output.error',
    )
    steps.branch(edit, "edited", 'flow["edit"].output.status == "completed"', done, failed)


def _form(aflow: Flow) -> UserFlow:
    user_flow: UserFlow = aflow.userflow(name="Source", display_name="Source")
    form: UserNode = user_flow.form(name="Upload", display_name="Upload", submit_button_label="Edit")
    form.text_input_field(name="Prompt", label="Prompt", required=True, help_text="What to do with the image")
    form.file_upload_field(
        name="Image", label="Image", required=True, file_max_size=MAX_MEGABYTES, supported_file_types=FILE_TYPES
    )
    user_flow.edge(START, form).edge(form, END)
    return user_flow


def _kept(values: dict[str, object]) -> dict[str, str]:
    return {f"flow.private.{name}": repr(value) for name, value in values.items()}


def _lines(assignments: dict[str, str]) -> str:
    return "\n".join(f"{target} = {value}" for target, value in assignments.items())
