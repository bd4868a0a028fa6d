"""The commands behind `make up`, `make down` and `make sam-local`."""

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from local import deployment, processes
from local.processes import StartError
from local.stack import STATE_DIR, EmbeddedStack, Options, Ports, StackInfo, openai_server
from local.steps import steps

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
console = Console(emoji=False, highlight=False)

StateDir = Annotated[Path, typer.Option(envvar="STATE_DIR", help="Where logs and stack.json are kept.")]


@app.command()
def up(
    openai_base_url: Annotated[str, typer.Option(envvar="OPENAI_BASE_URL", help="Not the stand-in, but this.")] = "",
    openai_api_key: Annotated[
        str, typer.Option(envvar="OPENAI_API_KEY", help="OpenAI's key, or that of OPENAI_BASE_URL.")
    ] = "",
    parameters: Annotated[str, typer.Option(envvar="PARAMETERS", help="Template parameters: Name=value …")] = "",
    cos: Annotated[bool, typer.Option(envvar="COS", help="Keep the images in a stand-in for IBM COS.")] = False,
    latency: Annotated[float, typer.Option(envvar="OPENAI_LATENCY", help="Seconds that an edit takes.")] = 0.5,
    aws_port: Annotated[int, typer.Option(envvar="AWS_PORT")] = Ports.aws,
    openai_port: Annotated[int, typer.Option(envvar="OPENAI_PORT")] = Ports.openai,
    receiver_port: Annotated[int, typer.Option(envvar="RECEIVER_PORT")] = Ports.receiver,
    cos_port: Annotated[int, typer.Option(envvar="COS_PORT")] = Ports.cos,
    bedrock_port: Annotated[int, typer.Option(envvar="BEDROCK_PORT")] = Ports.bedrock,
    gemini_port: Annotated[int, typer.Option(envvar="GEMINI_PORT")] = Ports.gemini,
    state_dir: StateDir = STATE_DIR,
) -> None:
    """Start the embedded AWS in the background and deploy the stack into it; one that is up is started anew."""
    processes.unwind_on_signals()
    try:
        options = Options(
            ports=Ports(aws_port, openai_port, receiver_port, cos_port, bedrock_port, gemini_port),
            state_dir=state_dir,
            openai_base_url=openai_server(openai_base_url, openai_api_key),
            openai_api_key=openai_api_key,
            openai_latency=latency,
            with_cos=cos,
            parameters=deployment.parse_parameters(parameters),
        )
        if options.uses_openai:
            console.print("[bold]OpenAI itself makes the edits, and each is paid[/] by the owner of OPENAI_API_KEY")
        with steps(console) as report:
            info = EmbeddedStack(options, report=report).up()
    except StartError as error:
        console.print(f"[bold red]not started:[/] {error}", soft_wrap=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        console.print("stopped: nothing is left running")
        raise typer.Exit(130) from None
    _tell(info, state_dir)


def _tell(info: StackInfo, state_dir: Path) -> None:
    for name, value in info.model_dump().items():
        if value and name not in ("access_key", "secret_key", "region"):
            console.print(f"[dim]{name:<22}[/] {value}", soft_wrap=True)
    console.print(f"\nThe console, for your browser: {info.api_url}/console", soft_wrap=True)
    console.print(f"The stack is up; {state_dir / 'stack.json'} says where. Stop it with: make down", soft_wrap=True)


@app.command()
def down(state_dir: StateDir = STATE_DIR) -> None:
    """Stop what `up` started."""
    stopped = EmbeddedStack(Options(state_dir=state_dir)).down()
    console.print(f"stopped: {', '.join(stopped)}" if stopped else "nothing was running")


@app.command()
def invoke(
    event: Annotated[Path | None, typer.Argument(exists=True, help="events/<function>/<case>.json")] = None,
    image: Annotated[str, typer.Option(envvar="INVOKE_IMAGE", help="The image that functions run in.")] = "",
    state_dir: StateDir = STATE_DIR,
) -> None:
    """Run `sam local invoke` with an event file, in Docker, against the stack that `up` started."""
    described = state_dir / "stack.json"
    try:
        if event is None:
            raise StartError("name an event, one of events/*/*.json: make sam-local EVENT=events/accept/health.json")
        if not described.exists():
            raise StartError("no stack is up: make up")
        info = StackInfo.model_validate_json(described.read_text())
        from local import sam_local  # which takes the SAM CLI and Docker along

        with sam_local.SamLocal(info, state_dir, image or sam_local.IMAGE) as sam:
            print("+", shlex.join(sam.command(event)), file=sys.stderr)
            invoked = sam.invoke(event)
    except StartError as error:
        console.print(f"[bold red]not invoked:[/] {error}", soft_wrap=True)
        raise typer.Exit(1) from None
    print(invoked.log, file=sys.stderr)
    print(json.dumps(invoked.result, indent=2))


if __name__ == "__main__":
    app()
