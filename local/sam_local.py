"""`sam local invoke` against a stack on the embedded AWS: the built functions, in containers as Lambda runs them.

SAM gives a container only the variables that a template names, resolves no resource's name, and leaves the container on
Docker's bridge, whatever `--docker-network host` promises (seen in 1.167; aws-sam-cli issue 4236). So the template used
here holds the variables of the functions as they are deployed, and `local.relay` leads from the bridge to the embedded
AWS.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import docker
import httpx2
from docker.errors import DockerException
from docker.models.containers import Container
from samcli.yamlhelper import yaml_parse

from imagejobs.job_store import JobStore
from imagejobs.storage import Bucket
from local import deployment, event_jobs, relay
from local.deployment import ROOT
from local.processes import StartError
from local.stack import StackInfo
from standins.server import HOST

# AWS's image of the runtime; any other that holds Python and Lambda's runtime client serves as well.
IMAGE = "public.ecr.aws/lambda/python:3.13"
_TIMEOUT = 180
_RELAY_TIMEOUT = 15.0


@dataclass(frozen=True)
class Invoked:
    """What came of an invocation: the function's result, or Lambda's error object, and what SAM and it logged."""

    result: Any
    log: str


class SamLocal:
    """Invokes the functions of a stack that is up; a context manager. `folder` keeps the template.

    Raises StartError when Docker does not run, or when its containers cannot reach the stack.
    """

    def __init__(self, info: StackInfo, folder: Path, image: str = IMAGE) -> None:
        self.info = info
        self.image = image
        self._template = folder / "sam-local.json"
        self._exits = ExitStack()
        self._address = ""

    def __enter__(self) -> Self:
        with ExitStack() as started:
            self._address = _start_relay(self.info, self.image, started)
            self._template.write_text(json.dumps(_template(self.info, self._address), indent=2))
            self._exits = started.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._exits.close()

    def command(self, event_file: Path) -> list[str]:
        """The command that invokes the function whose folder an event file is in."""
        sam, folder = str(Path(sys.executable).with_name("sam")), event_file.resolve().parent.name
        function = f"{folder.title().replace('_', '')}Function"  # process_image: ProcessImageFunction
        options = ["--template", str(self._template), "--invoke-image", self.image, "--skip-pull-image"]
        return [sam, "local", "invoke", function, "--event", str(event_file), *options]

    def invoke(self, event_file: Path) -> Invoked:
        """Record the event's job anew, its callback going to the stack's receiver, and invoke the function."""
        event_jobs.record(
            event_file.stem,
            json.loads(event_file.read_text()),
            JobStore(Bucket(self.info.client("s3"), self.info.jobs_bucket)),
            Bucket(self.info.images_client(), self.info.input_bucket),
            Bucket(self.info.images_client(), self.info.output_bucket),
            f"{_seen_from(self._address, self.info.receiver_url)}/callback",
        )
        done = subprocess.run(
            self.command(event_file),
            cwd=ROOT,
            env={**os.environ, "SAM_CLI_TELEMETRY": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_TIMEOUT,
        )
        try:
            return Invoked(json.loads(done.stdout), done.stderr)
        except json.JSONDecodeError:
            raise StartError(f"sam local invoke gave no result:\n{done.stdout}{done.stderr}") from None


def _template(info: StackInfo, address: str) -> dict[str, Any]:
    """The built functions and layers, with the variables of the functions as they are deployed."""
    built = deployment.build(deployment.local_parameters({})["Architecture"])
    resources = yaml_parse(built.read_text())["Resources"]
    kept: dict[str, Any] = {}
    for name, resource in resources.items():
        properties = resource["Properties"]
        if resource["Type"] == "AWS::Serverless::LayerVersion":
            kept[name] = {**resource, "Properties": {"ContentUri": str(built.parent / properties["ContentUri"])}}
        elif resource["Type"] == "AWS::Serverless::Function":
            chosen = {one: properties[one] for one in ("Handler", "Layers", "MemorySize", "Timeout")}
            chosen["CodeUri"] = str(built.parent / properties["CodeUri"])
            kept[name] = {**resource, "Properties": chosen | _deployed(info, name, address)}
    return {"Transform": "AWS::Serverless-2016-10-31", "Resources": kept}


def _deployed(info: StackInfo, logical_id: str, address: str) -> dict[str, Any]:
    """What a deployed function has and its template only refers to."""
    function = info.client("lambda").get_function_configuration(FunctionName=info.function_name(logical_id))
    variables = {
        **function["Environment"]["Variables"],
        "AWS_ENDPOINT_URL": info.s3_endpoint,
        "AWS_REGION": info.region,
        "AWS_DEFAULT_REGION": info.region,
        "AWS_ACCESS_KEY_ID": info.access_key,
        "AWS_SECRET_ACCESS_KEY": info.secret_key,
    }
    seen = {key: _seen_from(address, value) for key, value in variables.items()}
    return {name: function[name] for name in ("Runtime", "Architectures")} | {"Environment": {"Variables": seen}}


def _seen_from(address: str, text: str) -> str:
    return text.replace(HOST, address)


def _start_relay(info: StackInfo, image: str, started: ExitStack) -> str:
    """Lead from Docker's bridge to the servers of the stack; returns the address that containers know them by."""
    urls = [info.s3_endpoint, info.receiver_url, info.openai_base_url, info.cos_endpoint]
    ports = [str(urlsplit(url).port) for url in urls if urlsplit(url).hostname == HOST]
    folder = Path(started.enter_context(tempfile.TemporaryDirectory(prefix="relay-")))
    shutil.copy(relay.__file__, folder / "relay.py")
    here = subprocess.Popen([sys.executable, str(folder / "relay.py"), "here", str(folder), *ports])
    started.callback(here.wait)
    started.callback(here.terminate)
    try:
        there = engine().containers.run(
            image,
            entrypoint=["/var/lang/bin/python3", "/relay/relay.py", "there", "/relay", *ports],
            environment={"LD_LIBRARY_PATH": "/var/lang/lib"},  # where Lambda keeps its Python
            volumes={str(folder): {"bind": "/relay", "mode": "ro"}},
            detach=True,
        )
        started.callback(there.remove, force=True)
        there.reload()
    except DockerException as error:
        raise StartError(f"the image {image} cannot be run: {error}") from error
    address = str(there.attrs["NetworkSettings"]["Networks"]["bridge"]["IPAddress"])
    _wait_for(_seen_from(address, info.s3_endpoint), there)
    return address


def _wait_for(url: str, relaying: Container) -> None:
    deadline = time.monotonic() + _RELAY_TIMEOUT
    while True:
        try:
            httpx2.get(url, timeout=2)
        except httpx2.TransportError as error:
            if time.monotonic() > deadline:
                log = relaying.logs().decode(errors="replace")
                raise StartError(f"containers cannot reach the embedded AWS by {url}: {error}\n{log}") from error
            time.sleep(0.1)
        else:
            return


def engine() -> docker.DockerClient:
    """The Docker engine of the environment; StartError when none answers."""
    try:
        client = docker.from_env(timeout=60)
        client.ping()
    except DockerException as error:
        at = os.environ.get("DOCKER_HOST", "its usual socket")
        raise StartError(f"no Docker engine answers at {at}: start Docker, or set DOCKER_HOST") from error
    return client
