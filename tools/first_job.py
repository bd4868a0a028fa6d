"""Posts a first job to a stack's API and fetches its result: `python -m tools.first_job` (docs/deploying.md).

It needs no receiver: the API holds its answers until the job has ended (Prefer: wait), and has the result then.
"""

import base64
import json
import mimetypes
import time
from pathlib import Path
from typing import Annotated, Any

import httpx2
import typer
from rich.console import Console

from functions.accept.settings import AcceptSecrets
from local.stack import OPENAI_URL
from tools.stack import DEFAULT_STACK, OperatorError, Stack, StackFile, StackName, connect, run

ROOT = Path(__file__).parents[1]
_WAIT = {"Prefer": "wait=20"}


def first_job(http: httpx2.Client, image: Path, prompt: str, patience: float) -> tuple[bytes, str]:
    """Post one image, wait up to `patience` seconds, and return the edited image and the suffix of its format.

    Raises OperatorError with what the API answered when the job is refused, fails or takes longer.
    """
    body = {"prompt": prompt, "filename": image.name, "image_base64": base64.b64encode(image.read_bytes()).decode()}
    answer = http.post("/process-image-async-b64", json=body, headers=_WAIT)
    deadline = time.monotonic() + patience
    while answer.status_code == 202 or _json(answer, 200)["status"] in ("queued", "running"):
        job_id = answer.json()["job_id"]
        if time.monotonic() > deadline:
            raise OperatorError(f"the job {job_id} still runs; GET /jobs/{job_id} tells how it ends")
        answer = http.get(f"/jobs/{job_id}", headers=_WAIT)
    job = _json(answer, 200)
    if job["status"] != "completed":
        raise OperatorError(f"the job {job['job_id']} ended as {job['status']}: {job.get('error', '')}")
    result = job["result"]
    suffix = mimetypes.guess_extension(result["result_mime_type"]) or ""
    return httpx2.get(result["result_url"], timeout=60).raise_for_status().content, suffix


def _json(answer: httpx2.Response, expected: int) -> dict[str, Any]:
    if answer.status_code != expected:
        raise OperatorError(f"the API answered {answer.status_code}: {answer.text}")
    found: dict[str, Any] = answer.json()
    return found


def _headers(stack: Stack, token: str) -> dict[str, str]:
    key, workshop = stack.read_api_key(), stack.resources.owner_secrets(AcceptSecrets).workshop_token
    given = {
        "x-api-key": key,
        "Authorization": f"Bearer {token}" if token else "",
        "x-workshop-token": workshop.get_secret_value(),
    }
    return {name: value for name, value in given.items() if value}


def editor(stack_file: Path | None) -> str:
    """Who makes the edit, and whether it costs money: on this machine that is what `make up` was told."""
    server = json.loads(stack_file.read_text())["openai_base_url"] if stack_file else OPENAI_URL
    if server.rstrip("/") == OPENAI_URL:
        return "OpenAI's edit is paid by its key's owner"
    return f"The edit is made by {server}"


def main(
    stack_name: StackName = DEFAULT_STACK,
    stack_file: StackFile = None,
    api_url: Annotated[str, typer.Option(help="The API's address, instead of the stack's output.")] = "",
    token: Annotated[str, typer.Option(envvar="TOKEN", help="A bearer token, for AccessControl=jwt.")] = "",
    image: Annotated[Path, typer.Option(envvar="IMAGE", exists=True, dir_okay=False, help="The picture to edit.")] = (
        ROOT / "demo" / "pictures" / "meadow.webp"
    ),
    prompt: Annotated[str, typer.Option(envvar="PROMPT")] = "a warm evening light",
    patience: Annotated[float, typer.Option(min=1, help="Seconds to wait for the result.")] = 300,
) -> None:
    """Post one picture to a stack's API, wait for its edit, and keep it in .local/try/."""
    stack = connect(stack_name, stack_file)
    console = Console(highlight=False, soft_wrap=True, markup=False)
    with httpx2.Client(base_url=api_url or stack.api_url, headers=_headers(stack, token), timeout=60) as http:
        console.print(f"posting {image.name} to {http.base_url}: “{prompt}”. {editor(stack_file)}")
        content, suffix = first_job(http, image, prompt, patience)
    path = ROOT / ".local" / "try" / f"{image.stem}{suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    console.print(f"the edited picture: {path}")


if __name__ == "__main__":
    run(main)
