"""Builds the stack with SAM and deploys it into the emulated AWS: the very template that goes to AWS."""

import difflib
import fcntl
import hashlib
import itertools
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3

from local.processes import StartError
from tools.render import template

ROOT = Path(__file__).parents[1]
REGION = "us-east-1"
ACCESS_KEY = "test"
SECRET_KEY = "test"
STACK_NAME = "wxo-image-jobs"
_ARTIFACTS_BUCKET = "wxo-image-jobs-artifacts"
_SOURCES = ("template.yaml", "statemachine", "functions", "layers")
_ARTIFACT = re.compile(r"^( +(?:CodeUri|ContentUri): (\w+))$", re.MULTILINE)


def client(
    service: str, endpoint: str, region: str = REGION, access_key: str = ACCESS_KEY, secret_key: str = SECRET_KEY
) -> Any:
    """A boto3 client of the emulated AWS, or of another endpoint with keys of its own."""
    return boto3.client(
        service,  # type: ignore[call-overload]
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
    )


def local_parameters(overrides: dict[str, str], project: Path = ROOT) -> dict[str, str]:
    """The template's parameters: the profile `local` of samconfig.toml, this machine's architecture, the overrides.

    Raises StartError for an override that the template does not have or take.
    """
    _check_parameters(overrides)
    config = tomllib.loads((project / "samconfig.toml").read_text())
    profile = config["local"]["deploy"]["parameters"].get("parameter_overrides", [])
    architecture = "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"
    return {**parse_parameters(" ".join(profile)), "Architecture": architecture, **overrides}


def parse_parameters(text: str) -> dict[str, str]:
    """Read `Name=value Name="value with spaces"`, as `sam deploy --parameter-overrides` takes it."""
    pairs = [word.partition("=") for word in shlex.split(text)]
    if wrong := [name for name, equals, _ in pairs if not (name and equals)]:
        raise StartError(
            f'PARAMETERS takes Name=value pairs, but not {" ".join(wrong)!r}: PARAMETERS="LogLevel=DEBUG" …'
        )
    return {name: value for name, _, value in pairs}


def _check_parameters(given: dict[str, str]) -> None:
    known = template()["Parameters"]
    for name, value in given.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"do you mean {near[0]}?" if near else "docs/configuration.md lists them all"
            raise StartError(f"PARAMETERS: the template has no parameter {name}; {hint}")
        allowed = [str(one) for one in known[name].get("AllowedValues", [])]
        if allowed and value not in allowed:
            raise StartError(f"PARAMETERS: {name} is one of {', '.join(allowed)}, but not {value!r}")


def build(architecture: str, project: Path = ROOT) -> Path:
    """Build the functions and layers, unless nothing has changed since the last time; returns the built template."""
    folder = project / ".aws-sam" / "embedded"
    digest_file = folder.parent / "embedded.sha256"
    digest = _digest(project, architecture)
    built = folder / "template.yaml"
    if _zipped(built).exists() and digest_file.exists() and digest_file.read_text() == digest:
        return built
    _sam(
        project,
        ["build", "--no-use-container", "--cached", "--parallel"],
        ["--build-dir", str(folder), "--cache-dir", str(folder.parent / "cache")],
        ["--template", str(project / "template.yaml")],
        ["--parameter-overrides", f"ParameterKey=Architecture,ParameterValue={architecture}"],
    )
    _zip(built)
    digest_file.write_text(digest)
    return built


def deploy(endpoint: str, parameters: dict[str, str], project: Path = ROOT) -> dict[str, str]:
    """Build the stack and deploy it; returns its outputs."""
    with _locked(project):
        built = build(parameters["Architecture"], project)
        client("s3", endpoint).create_bucket(Bucket=_ARTIFACTS_BUCKET)
        _sam(
            project,
            ["deploy", "--config-env", "embedded", "--no-progressbar"],
            ["--no-confirm-changeset", "--no-fail-on-empty-changeset"],
            ["--template", str(_zipped(built)), "--stack-name", STACK_NAME, "--s3-bucket", _ARTIFACTS_BUCKET],
            ["--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            ["--parameter-overrides", *[f"{name}={json.dumps(value)}" for name, value in parameters.items()]],
            AWS_ENDPOINT_URL=endpoint,
        )
    described = client("cloudformation", endpoint).describe_stacks(StackName=STACK_NAME)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}


def _zip(built: Path) -> None:
    """Zip each artifact once: SAM would zip all 160 MB at each deployment, 10 s of processor time."""
    template_text = built.read_text()
    for _, name in _ARTIFACT.findall(template_text):
        shutil.make_archive(str(built.with_name(name)), "zip", built.with_name(name))
    _zipped(built).write_text(_ARTIFACT.sub(r"\1.zip", template_text))


def _zipped(built: Path) -> Path:
    """The built template that names the zipped artifacts."""
    return built.with_name("template-zipped.yaml")


def _sam(project: Path, *arguments: list[str], **variables: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHON"))}
    environment |= {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "SAM_CLI_TELEMETRY": "0",
        "SAM_CLI_POLL_DELAY": "0.2",
        **variables,
    }
    done = subprocess.run(
        [str(Path(sys.executable).with_name("sam")), *itertools.chain(*arguments)],
        cwd=project,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        end = "\n".join(done.stdout.splitlines()[-30:])
        raise StartError(f"sam {arguments[0][0]} failed. The end of what it printed:\n{end}")


def _digest(project: Path, architecture: str) -> str:
    """What a build depends on."""
    digest = hashlib.sha256(f"{architecture} {sys.version}".encode())
    for source in _SOURCES:
        root = project / source
        for path in sorted(root.rglob("*")) if root.is_dir() else [root]:
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(f"{path.relative_to(project)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


@contextmanager
def _locked(project: Path) -> Iterator[None]:
    """One build at a time in one project: `make up` and the tests share what is built."""
    folder = project / ".aws-sam"
    folder.mkdir(exist_ok=True)
    with (folder / "embedded.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
