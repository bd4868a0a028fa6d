"""The tools for agents, used by the official client library over the embedded AWS."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp_types import INVALID_PARAMS, CallToolResult
from mcp_types.version import LATEST_HANDSHAKE_VERSION, LATEST_MODERN_VERSION

from local.stack import StackInfo
from standins.openai import OpenAIStandIn
from tests.e2e.conftest import Service
from tests.support.pictures import picture
from tests.support.waiting import PATIENCE


def used(stack: StackInfo, mode: str, work: Callable[[Client], Awaitable[None]]) -> None:
    """Let a client work with the service's tools."""

    async def session() -> None:
        async with httpx2.AsyncClient(timeout=PATIENCE) as http:
            transport = streamable_http_client(f"{stack.api_url}/mcp", http_client=http)
            async with Client(transport, mode=mode) as client:
                await work(client)

    asyncio.run(session())


def told(result: CallToolResult) -> dict[str, Any]:
    assert not result.is_error, result.content
    assert isinstance(result.structured_content, dict)
    return result.structured_content


@pytest.mark.parametrize(("mode", "version"), [("legacy", LATEST_HANDSHAKE_VERSION), ("auto", LATEST_MODERN_VERSION)])
def test_an_agent_edits_an_image(stack: StackInfo, service: Service, mode: str, version: str) -> None:
    image = picture()

    async def work(client: Client) -> None:
        assert client.protocol_version == version
        # The client holds every answer to the schema that the tool was listed with.
        assert {"edit_image", "get_job"} <= {tool.name for tool in (await client.list_tools()).tools}
        models = told(await client.call_tool("list_models", {}))
        assert [one["name"] for one in models["models"] if one["default"]]

        wanted = {"filename": "cat.png", "content_type": "image/png", "size": len(image)}
        form = told(await client.call_tool("create_upload", wanted))
        sent = httpx2.post(form["url"], data=form["fields"], files={"file": image}, timeout=PATIENCE)
        assert sent.is_success, sent.text
        edit = {"prompt": "make it blue", "image_key": form["image_key"]}
        job = told(await client.call_tool("edit_image", edit))
        while job.get("status") not in ("completed", "failed"):
            job = told(await client.call_tool("get_job", {"job_id": job["job_id"]}))
        assert job["status"] == "completed"
        assert httpx2.get(job["result"]["result_url"]).status_code == 200

        refused = await client.call_tool("cancel_job", {"job_id": job["job_id"]})
        assert refused.is_error
        with pytest.raises(MCPError) as unknown:
            await client.call_tool("make_coffee", {})
        assert unknown.value.code == INVALID_PARAMS

    used(stack, mode, work)


def test_an_agent_cancels_a_folder(stack: StackInfo, openai: OpenAIStandIn, input_folder: Callable[..., str]) -> None:
    folder = input_folder(**{f"{number}_png": picture() for number in range(3)})
    openai.fail("rate_limit", retry_after=5)

    async def work(client: Client) -> None:
        job_id = told(await client.call_tool("edit_folder", {"prompt": "p", "prefix": folder}))["job_id"]
        assert told(await client.call_tool("get_job", {"job_id": job_id}))["status"] in ("queued", "running")
        assert told(await client.call_tool("cancel_job", {"job_id": job_id})) == {"accepted": True, "job_id": job_id}
        assert told(await client.call_tool("get_job", {"job_id": job_id}))["status"] == "cancelled"
        listed = told(await client.call_tool("list_jobs", {"limit": 1, "status": "cancelled"}))
        assert [one["job_id"] for one in listed["jobs"]] == [job_id]

    used(stack, "auto", work)
