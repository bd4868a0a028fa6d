"""docs/deploying.md from its first command to its last, on an embedded AWS of its own."""

import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from local import deployment, processes
from standins.openai import OpenAIStandIn

ROOT = Path(__file__).parents[2]
STACK = "mine"
REGION = "eu-central-1"
# What differs from AWS: this machine runs the functions, and everything listens on 127.0.0.1.
SAMCONFIG = """
version = 0.1
[default.global.parameters]
stack_name = "{stack}"
[default.build.parameters]
cached = true
parallel = true
[default.deploy.parameters]
capabilities = "CAPABILITY_IAM"
resolve_s3 = true
parameter_overrides = [
    "Architecture={architecture}", "OpenAIBaseUrl={openai}", "CallbackAllowHttp=true", "CallbackAllowPrivate=true",
]
"""


@dataclass(frozen=True)
class Operator:
    """Somebody at a shell with credentials, and AWS_REGION for the region."""

    endpoint: str

    def __call__(self, tool: str, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        """Run one of the commands behind `make`."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        environment = kept | {
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'layers' / 'common'}",
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": deployment.ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": deployment.SECRET_KEY,
            "AWS_ENDPOINT_URL": self.endpoint,
            "SAM_CLI_TELEMETRY": "0",
            "SAM_CLI_POLL_DELAY": "0.2",
        }
        return subprocess.run(
            [sys.executable, "-m", f"tools.{tool}", *arguments],
            cwd=ROOT,
            env=environment,
            input=typed,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )


@pytest.fixture
def operator(tmp_path: Path) -> Iterator[Operator]:
    port = processes.free_port()
    unpacked = str(ROOT / ".aws-sam" / "unpacked")
    emulator = processes.start("emulator", "local.emulator", port, tmp_path, "--unpacked", unpacked)
    try:
        yield Operator(f"http://127.0.0.1:{port}")
    finally:
        emulator.stop()


def succeeded(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_a_stack_is_deployed_tried_and_removed_by_its_commands(operator: Operator, tmp_path: Path) -> None:
    architecture = "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"
    config = tmp_path / "samconfig.toml"
    on_stack = ("--stack-name", STACK)
    with OpenAIStandIn(latency=0.1) as openai:
        config.write_text(SAMCONFIG.format(stack=STACK, architecture=architecture, openai=openai.base_url))
        told = succeeded(operator("deploy", "--config-file", str(config)))
        assert f"region {REGION}, stack {STACK}" in told.splitlines()[0]
        next_steps = told.rpartition("Now:")[2]
        for command in ("openai-key", "api-key", "try"):
            assert f"make {command} AWS_REGION={REGION} STACK={STACK}" in next_steps

        succeeded(operator("engine_key", "openai", *on_stack, typed="sk-test\n"))
        key = succeeded(operator("api_key", *on_stack)).strip()
        assert len(key) >= 20
        client = deployment.client("cloudformation", operator.endpoint, REGION)
        outputs = {one["OutputKey"]: one["OutputValue"] for one in client.describe_stacks()["Stacks"][-1]["Outputs"]}
        api_url = f"{operator.endpoint}/restapis/{outputs['ApiId']}/v1/_user_request_"
        edited = Path(succeeded(operator("first_job", *on_stack, "--api-url", api_url)).split()[-1])
        with Image.open(edited) as image:
            assert image.format == "PNG"
        assert [call.prompt for call in openai.calls] == ["a warm evening light"]

    refused = operator("remove", *on_stack, "--with-images", typed="another\n")
    assert (refused.returncode, "nothing was deleted" in refused.stderr) == (1, True)
    assert STACK in succeeded(operator("remove", *on_stack, "--with-images", typed=f"{STACK}\n")).splitlines()[-1]
    assert f"no stack {STACK} in {REGION}" in operator("redeliver", *on_stack).stderr
    buckets = deployment.client("s3", operator.endpoint, REGION).list_buckets()["Buckets"]
    assert not [one["Name"] for one in buckets if one["Name"].startswith(f"{STACK}-")]
