"""The whole stack on this machine: the emulated AWS, the stand-ins, and the stack deployed into it."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self

import httpx2
import psutil
from pydantic import BaseModel, ConfigDict

from local import deployment, processes
from local.deployment import ACCESS_KEY, REGION, ROOT, SECRET_KEY
from local.processes import Process, StartError
from standins import cos
from standins.server import HOST

STATE_DIR = ROOT / ".local"
OPENAI_URL = "https://api.openai.com/v1"
_STAND_IN_KEY = "local-stand-in"


@dataclass(frozen=True)
class Ports:
    """Where the parts listen."""

    aws: int = 4566
    openai: int = 8081
    receiver: int = 8082
    cos: int = 8083
    bedrock: int = 8084
    gemini: int = 8085

    @classmethod
    def free(cls) -> Self:
        """Ports that nothing listens on."""
        return cls(*(processes.free_port() for _ in fields(cls)))

    def url(self, part: str, path: str = "") -> str:
        """Where a part is."""
        return f"http://{HOST}:{getattr(self, part)}{path}"


@dataclass(frozen=True)
class Options:
    """How the stack is run. `openai_base_url` is a server to use in place of the stand-in, with `openai_api_key`."""

    ports: Ports = field(default_factory=Ports)
    state_dir: Path = STATE_DIR
    openai_base_url: str = ""
    openai_api_key: str = ""
    openai_latency: float = 0.5
    with_cos: bool = False
    with_receiver: bool = True
    parameters: dict[str, str] = field(default_factory=dict)

    @property
    def uses_openai(self) -> bool:
        """Whether OpenAI itself makes the edits, which costs money."""
        return self.openai_base_url.rstrip("/") == OPENAI_URL

    @property
    def uses_stand_in(self) -> bool:
        """Whether the edits are made by the stand-ins: those of the other engines are there beside OpenAI's."""
        return not self.openai_base_url


def openai_server(base_url: str, key: str) -> str:
    """The server that makes the edits: the one that is named; with a key alone OpenAI; else none, for the stand-in."""
    return base_url or (OPENAI_URL if key else "")


class StackInfo(BaseModel):
    """What `.local/stack.json` says of a stack that is up; with COS, the input and output buckets are there."""

    model_config = ConfigDict(frozen=True)

    api_url: str
    s3_endpoint: str
    region: str
    access_key: str
    secret_key: str
    input_bucket: str
    output_bucket: str
    jobs_bucket: str
    state_machine_arn: str
    dead_letter_queue_url: str
    openai_base_url: str
    receiver_url: str
    secret_arn: str
    signing_secret_arn: str
    cos_endpoint: str = ""

    def client(self, service: str) -> Any:
        """A boto3 client of the emulated AWS."""
        return deployment.client(service, self.s3_endpoint)

    def function_name(self, logical_id: str) -> str:
        """The name of a function by its logical id in the template."""
        asked = {"StackName": deployment.STACK_NAME, "LogicalResourceId": logical_id}
        found = self.client("cloudformation").describe_stack_resource(**asked)
        return str(found["StackResourceDetail"]["PhysicalResourceId"])

    def images_client(self) -> Any:
        """An S3 client for the input and output buckets, wherever they are."""
        return _cos_client(self.cos_endpoint) if self.cos_endpoint else self.client("s3")


class EmbeddedStack:
    """Starts everything, deploys the stack, and stops what it started; a context manager.

    As a context manager it leaves nothing behind; `up` and `down` let the stack outlive the process that started it.
    """

    def __init__(self, options: Options | None = None, report: Callable[[str], None] = lambda _step: None) -> None:
        self.options = options or Options()
        self._report = report
        self.info: StackInfo

    def __enter__(self) -> Self:
        self.up()
        return self

    def __exit__(self, *_: object) -> None:
        self.down()

    @property
    def endpoint(self) -> str:
        """The emulated AWS's endpoint."""
        return self.options.ports.url("aws")

    def up(self) -> StackInfo:
        """Start everything and deploy the stack; whatever was started is stopped again when a step fails."""
        parameters = deployment.local_parameters(self.options.parameters)
        self._check_ports()
        processes.make_folder(self.options.state_dir)
        self.down()
        try:
            self._start_servers()
            self._deploy(parameters)
        except BaseException:
            self.down()
            raise
        (self.options.state_dir / "stack.json").write_text(self.info.model_dump_json(indent=2) + "\n")
        return self.info

    def _deploy(self, parameters: dict[str, str]) -> None:
        """Deploy the stack into what was started; raises StartError, and says so, when that was stopped meanwhile."""
        started = processes.recorded(self.options.state_dir / "processes.json")
        try:
            self._report("building and deploying the stack")
            parameters |= self._own_parameters() | self.options.parameters
            self.info = self._describe(deployment.deploy(self.endpoint, parameters))
            self._fill_secret()
            self._report("warming the functions")
            for function in self.info.client("lambda").list_functions()["Functions"]:
                self.warm(function["FunctionName"])
        except Exception as error:
            if all(one.alive() for one in started):
                raise
            raise StartError(
                "the embedded AWS was stopped while the stack was deployed. If that was not `make down`, the end of "
                f"{self.options.state_dir / 'aws.log'} says why"
            ) from error

    def down(self) -> list[str]:
        """Stop what was started; returns the names of what still ran. Doing it twice does no harm."""
        pids = self.options.state_dir / "processes.json"
        running = [process for process in reversed(processes.recorded(pids)) if process.alive()]
        for process in running:
            process.stop()
        for leftover in (pids, self.options.state_dir / "stack.json"):
            leftover.unlink(missing_ok=True)
        shutil.rmtree(self.options.state_dir / "tmp", ignore_errors=True)
        return [process.name for process in running]

    def warm(self, function: str, count: int = 1) -> None:
        """Have `count` execution environments of a function ready, without invoking it."""
        url = f"{self.endpoint}/_local/warm"
        httpx2.post(url, params={"function": function, "count": str(count)}, timeout=120).raise_for_status()

    def crash(self, function: str) -> int:
        """Kill the execution environments of a function that are at work; returns how many there were."""
        answer = httpx2.post(f"{self.endpoint}/_local/crash", params={"function": function}, timeout=10)
        return int(answer.raise_for_status().json()["crashed"])

    def environments(self) -> list[psutil.Process]:
        """The execution environments of all functions. (Each is forked from its function's first process.)"""
        noted = processes.recorded(self.options.state_dir / "processes.json")
        emulator = psutil.Process(next(one.pid for one in noted if one.name == "aws"))
        return [environment for first in emulator.children() for environment in first.children()]

    def _check_ports(self) -> None:
        variables: dict[int, str] = {}
        for part in self._servers():
            port, variable = getattr(self.options.ports, part), f"{part.upper()}_PORT"
            if not 1 <= port <= 65535:
                raise StartError(f"{variable}={port} is not a port: choose one from 1024 to 65535")
            if other := variables.get(port):
                raise StartError(f"{other} and {variable} are both {port}: give each a port of its own")
            variables[port] = variable

    def _start_servers(self) -> None:
        servers, started = self._servers(), list[Process]()
        for part in servers:
            if processes.listening(port := getattr(self.options.ports, part)):
                raise StartError(
                    f"port {port}, which the part {part} needs, is in use. Stop what listens there, or choose another "
                    f"port: make up {part.upper()}_PORT={port + 1000}"
                )
        folder = self.options.state_dir

        def note(process: Process) -> None:
            started.append(process)
            processes.record(started, folder / "processes.json")

        for part, (module, *arguments) in servers.items():
            self._report(f"starting {part}")
            processes.start(part, module, getattr(self.options.ports, part), folder, *arguments, note=note)

    def _servers(self) -> dict[str, list[str]]:
        """What to start: the module and its arguments, by the name that the part has in `Ports`."""
        servers = {"aws": ["local.emulator", "--unpacked", str(ROOT / ".aws-sam" / "unpacked")]}
        if self.options.with_receiver:
            servers["receiver"] = ["standins.receiver"]
        if self.options.uses_stand_in:
            for engine in ("openai", "bedrock", "gemini"):
                servers[engine] = [f"standins.{engine}", "--latency", str(self.options.openai_latency)]
        if self.options.with_cos:
            servers["cos"] = ["moto.server"]
        return servers

    def _own_parameters(self) -> dict[str, str]:
        parameters = {"OpenAIBaseUrl": self.options.openai_base_url or self.options.ports.url("openai", "/v1")}
        if self.options.uses_stand_in:
            parameters |= {
                "BedrockRegion": REGION,
                "BedrockEndpointUrl": self.options.ports.url("bedrock"),
                "GeminiBaseUrl": self.options.ports.url("gemini", "/v1beta"),
            }
        if self.options.with_cos:
            endpoint = self.options.ports.url("cos")
            for bucket in (cos.INPUT_BUCKET, cos.OUTPUT_BUCKET):
                location = {"LocationConstraint": cos.REGION}
                _cos_client(endpoint).create_bucket(Bucket=bucket, CreateBucketConfiguration=location)
            parameters |= {
                "CosEndpoint": endpoint,
                "CosRegion": cos.REGION,
                "CosInputBucket": cos.INPUT_BUCKET,
                "CosOutputBucket": cos.OUTPUT_BUCKET,
            }
        return parameters

    def _describe(self, outputs: dict[str, str]) -> StackInfo:
        options, manager = self.options, deployment.client("secretsmanager", self.endpoint)
        return StackInfo(
            api_url=f"{self.endpoint}/restapis/{outputs['ApiId']}/{outputs['ApiUrl'].rpartition('/')[2]}/_user_request_",
            s3_endpoint=self.endpoint,
            region=REGION,
            access_key=ACCESS_KEY,
            secret_key=SECRET_KEY,
            input_bucket=outputs["InputBucketName"],
            output_bucket=outputs["OutputBucketName"],
            jobs_bucket=outputs["JobsBucketName"],
            state_machine_arn=outputs["StateMachineArn"],
            dead_letter_queue_url=outputs["DeadLetterQueueUrl"],
            openai_base_url=options.openai_base_url or options.ports.url("openai", "/v1"),
            receiver_url=options.ports.url("receiver") if options.with_receiver else "",
            # Ref gives a secret's ARN on AWS, and its name here.
            secret_arn=manager.describe_secret(SecretId=outputs["SecretArn"])["ARN"],
            signing_secret_arn=manager.describe_secret(SecretId=outputs["SigningSecretArn"])["ARN"],
            cos_endpoint=options.ports.url("cos") if options.with_cos else "",
        )

    def _fill_secret(self) -> None:
        """Fill in the members that a person fills in on AWS."""
        manager = self.info.client("secretsmanager")
        secret = json.loads(manager.get_secret_value(SecretId=self.info.secret_arn)["SecretString"])
        secret["OPENAI_API_KEY"] = (self.options.openai_base_url and self.options.openai_api_key) or _STAND_IN_KEY
        if self.options.uses_stand_in:
            secret["GEMINI_API_KEY"] = _STAND_IN_KEY
        if self.options.with_cos:
            secret |= {"COS_ACCESS_KEY_ID": cos.ACCESS_KEY_ID, "COS_SECRET_ACCESS_KEY": cos.SECRET_ACCESS_KEY}
        manager.put_secret_value(SecretId=self.info.secret_arn, SecretString=json.dumps(secret))


def _cos_client(endpoint: str) -> Any:
    return deployment.client("s3", endpoint, cos.REGION, cos.ACCESS_KEY_ID, cos.SECRET_ACCESS_KEY)
