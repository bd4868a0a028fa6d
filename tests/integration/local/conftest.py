import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any
from uuid import uuid4

import pytest

from local import deployment, processes
from tests.support.waiting import wait_until

ROLE = "arn:aws:iam::000000000000:role/any"


@dataclass
class Aws:
    """The emulated AWS, and the few things that the tests make in it."""

    endpoint: str
    clients: dict[str, Any] = field(default_factory=dict)

    def __call__(self, service: str) -> Any:
        if service not in self.clients:
            self.clients[service] = deployment.client(service, self.endpoint)
        return self.clients[service]

    def function(self, code: str, *, timeout: int = 100, variables: dict[str, str] | None = None) -> str:
        """Make a function whose module is `code`, with a `handler`; returns its ARN."""
        made = self("lambda").create_function(
            FunctionName=f"f-{uuid4().hex[:8]}",
            Runtime="python3.13",
            Role=ROLE,
            Handler="app.handler",
            Code={"ZipFile": archive_of(code)},
            Timeout=timeout,
            Environment={"Variables": variables or {}},
        )
        return str(made["FunctionArn"])

    def bucket(self) -> str:
        name = f"bucket-{uuid4().hex[:8]}"
        self("s3").create_bucket(Bucket=name)
        return name

    def stack(self, template: dict[str, Any]) -> dict[str, str]:
        """Make a CloudFormation stack; returns its outputs."""
        name = f"stack-{uuid4().hex[:8]}"
        self("cloudformation").create_stack(StackName=name, TemplateBody=json.dumps(template))
        self("cloudformation").get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
        outputs = self("cloudformation").describe_stacks(StackName=name)["Stacks"][0]["Outputs"]
        return {output["OutputKey"]: output["OutputValue"] for output in outputs}

    def machine(self, states: dict[str, Any], **options: Any) -> str:
        """Make a state machine that starts at the first of `states`; returns its ARN."""
        definition = {"StartAt": next(iter(states)), "States": states, **options}
        made = self("stepfunctions").create_state_machine(
            name=f"m-{uuid4().hex[:8]}", definition=json.dumps(definition), roleArn=ROLE
        )
        return str(made["stateMachineArn"])

    def start(self, machine: str, payload: Any = None, **options: Any) -> str:
        started = self("stepfunctions").start_execution(
            stateMachineArn=machine, input=json.dumps({} if payload is None else payload), **options
        )
        return str(started["executionArn"])

    def finish(self, execution: str) -> dict[str, Any]:
        """Wait for an execution's end; returns DescribeExecution, with `output` decoded."""
        client = self("stepfunctions")
        wait_until(lambda: client.describe_execution(executionArn=execution)["status"] != "RUNNING", what="the end")
        found = client.describe_execution(executionArn=execution)
        return {**found, "output": json.loads(found.get("output") or "null")}

    def run(self, states: dict[str, Any], payload: Any = None, **options: Any) -> dict[str, Any]:
        return self.finish(self.start(self.machine(states, **options), payload))


def archive_of(code: str) -> bytes:
    """A function's package: `code` as app.py."""
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("app.py", code)
    return archive.getvalue()


def task(function: str, **options: Any) -> dict[str, Any]:
    """A Task state that invokes a function with the state's input, and ends the machine."""
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": function, "Payload.$": "$"},
        "OutputPath": "$.Payload",
        "End": True,
        **options,
    }


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[processes.Process, str]]:
    folder = tmp_path_factory.mktemp("emulator")
    port = processes.free_port()
    process = processes.start("emulator", "local.emulator", port, folder, "--unpacked", str(folder / "unpacked"))
    yield process, f"http://127.0.0.1:{port}"
    process.stop()


@pytest.fixture(scope="session")
def aws(emulator: tuple[processes.Process, str]) -> Aws:
    return Aws(emulator[1])
