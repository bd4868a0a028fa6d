"""Runs in IBM's development kit (.venv-adk), not in pytest: loads what wxo/ holds and prints what the kit made of it.

Usage: adk_probe.py openapi.json, with HOME at a writable folder. Prints one JSON object.
"""

import asyncio
import json
import sys
import time
from pathlib import Path

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


def main(openapi: str) -> None:
    """Load tools, flows, Python tools and agent as `orchestrate … import` does, and print their specifications."""
    activate_environment()
    from ibm_watsonx_orchestrate.agent_builder.agents.types import AgentSpec
    from ibm_watsonx_orchestrate.agent_builder.tools.openapi_tool import create_openapi_json_tools_from_uri
    from ibm_watsonx_orchestrate.cli.commands.tools.tools_controller import load_flow_model_from_file
    from ibm_watsonx_orchestrate.utils.utils import yaml_safe_load

    sys.path.insert(0, str(WXO / "python_tools"))
    import image_base64

    tools = asyncio.run(create_openapi_json_tools_from_uri(openapi))
    encoded = image_base64.image_to_base64(b"\x89PNG\r\n")
    decoded = image_base64.base64_to_image(encoded.content.image_base64)
    found = {
        "tools": [tool.__tool_spec__.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools],
        "flows": [load_flow_model_from_file(str(path)) for path in sorted((WXO / "flows").glob("edit_*.py"))],
        "python_tools": [
            tool.__tool_spec__.model_dump(mode="json", by_alias=True, exclude_none=True)
            for tool in (image_base64.image_to_base64, image_base64.base64_to_image)
        ],
        "round_trip": [encoded.content.image_base64, list(decoded.content)],
        "agents": [
            AgentSpec.model_validate(yaml_safe_load(path.read_text())).model_dump(mode="json")
            for path in sorted((WXO / "agents").glob("*.yaml"))
        ],
    }
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
