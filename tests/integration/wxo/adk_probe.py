"""Runs in IBM's development kit (.venv-adk), not in pytest: shows what the kit makes of wxo/, and calls Python tools.

    adk_probe.py load openapi.json agent-tools.json     prints what the kit loads, as one JSON object
    adk_probe.py parse < calls                          prints which calls of `orchestrate` it would refuse, and why
    adk_probe.py call < calls                           takes a call a line, {"tool", "arguments"}, and answers each

HOME is a writable folder. A call's answer is {"value"}, {"file"} (base64) or {"error"}; the connection of a tool is in
the environment, where WXO puts it. What the kit itself says comes on lines of its own before that.
"""

import asyncio
import base64
import json
import sys
import time
from pathlib import Path
from typing import Any

WXO = Path(__file__).parents[3] / "wxo"


def activate_environment() -> None:
    """Give the kit an active environment: it makes a client for one even to build a flow that asks the server nothing.

    The token is unsigned and for nobody; at the address nothing answers. (Without an environment `local` the kit would
    write its defaults over this.)
    """
    import jwt

    token = jwt.encode({"exp": int(time.time()) + 86_400}, key="", algorithm="none")
    files = {
        ".config/orchestrate/config.yaml": {
            "context": {"active_environment": "local"},
            "environments": {"local": {"wxo_url": "http://127.0.0.1:9"}},
        },
        ".cache/orchestrate/credentials.yaml": {"auth": {"local": {"wxo_mcsp_token": token}}},
    }
    for name, content in files.items():
        path = Path.home() / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))


def python_tools() -> dict[str, Any]:
    """The Python tools of wxo/python_tools, by name, as `orchestrate tools import --kind python` finds them."""
    from ibm_watsonx_orchestrate.agent_builder.tools import PythonTool

    sys.path.insert(0, str(WXO / "python_tools"))
    modules = [__import__(path.stem) for path in sorted((WXO / "python_tools").glob("*.py"))]
    found = [one for module in modules for one in vars(module).values() if isinstance(one, PythonTool)]
    return {tool.__tool_spec__.name: tool for tool in found}


def round_trip() -> list[Any]:
    """What the tools for base64 make of some bytes, and of that."""
    tools = python_tools()
    encoded = tools["image_to_base64"](b"\x89PNG\r\n").content.image_base64
    return [encoded, list(tools["base64_to_image"](encoded).content)]


def load(*documents: str) -> None:
    """Load tools, flows, Python tools and agent as `orchestrate … import` does, and print their specifications."""
    from ibm_watsonx_orchestrate.agent_builder.agents.types import AgentSpec
    from ibm_watsonx_orchestrate.agent_builder.tools.openapi_tool import create_openapi_json_tools_from_uri
    from ibm_watsonx_orchestrate.cli.commands.agents.agents_controller import _raise_style_deprecation_warning
    from ibm_watsonx_orchestrate.cli.commands.tools.tools_controller import load_flow_model_from_file
    from ibm_watsonx_orchestrate.utils.utils import yaml_safe_load

    def spec(tool: Any) -> Any:
        return tool.__tool_spec__.model_dump(mode="json", by_alias=True, exclude_none=True)

    agents = [AgentSpec.model_validate(yaml_safe_load(path.read_text())) for path in sorted(WXO.glob("agents/*.yaml"))]
    for agent in agents:
        _raise_style_deprecation_warning(agent.style)
    found = {
        "documents": [
            [spec(tool) for tool in asyncio.run(create_openapi_json_tools_from_uri(document))] for document in documents
        ],
        "flows": [load_flow_model_from_file(str(path)) for path in sorted((WXO / "flows").glob("edit_*.py"))],
        "python_tools": [
            spec(tool) | {"expects": [one.model_dump(mode="json") for one in tool.expected_credentials]}
            for tool in python_tools().values()
        ],
        "types": sys.modules["image_files"].TYPES,
        "round_trip": round_trip(),
        "agents": [agent.model_dump(mode="json") for agent in agents],
    }
    sys.stdout.write(json.dumps(found))


def call() -> None:
    """Call Python tools as WXO's runtime does."""
    tools = python_tools()
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            value = tools[asked["tool"]](**asked["arguments"]).content
            if isinstance(value, bytes):
                answer = {"file": base64.b64encode(value).decode()}
            else:
                answer = {"value": value.model_dump() if hasattr(value, "model_dump") else value}
        except Exception as error:  # noqa: BLE001 (what a tool raises is what a model or a flow is told)
            answer = {"error": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def parse() -> None:
    """Have the command `orchestrate` read its arguments, a call a line, and do nothing."""
    import typer
    from ibm_watsonx_orchestrate.cli.main import app

    def disarm(command: Any) -> None:
        command.callback = lambda **_: None
        for inner in getattr(command, "commands", {}).values():
            disarm(inner)

    command, refused = typer.main.get_command(app), {}
    disarm(command)
    for line in sys.stdin.read().splitlines():
        try:
            command.main(line.split(), prog_name="orchestrate", standalone_mode=False)
        except Exception as error:  # noqa: BLE001 (typer has click's errors in a module of its own)
            refused[line] = f"{type(error).__name__}: {error}"
    sys.stdout.write(json.dumps(refused) + "\n")


if __name__ == "__main__":
    activate_environment()
    {"load": load, "call": call, "parse": parse}[sys.argv[1]](*sys.argv[2:])
