"""What `sam build` makes is complete: a function needs nothing of Lambda's runtime but Python."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from samcli.yamlhelper import yaml_parse

from local.stack import EmbeddedStack
from tools import sbom

ROOT = Path(__file__).parents[2]
RUN = """
import importlib, json, pkgutil, sys
sys.path[:0] = json.loads(sys.argv[1])
module, _, name = sys.argv[2].rpartition(".")
assert callable(getattr(importlib.import_module(module), name))
package = importlib.import_module(module.rpartition(".")[0])
for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
    importlib.import_module(found.name)  # what is imported on first use too
import boto3
boto3.client("s3", region_name="eu-central-1")
print(json.dumps([boto3.__file__, boto3.__version__]))
"""


@pytest.fixture(scope="module")
def built(embedded: EmbeddedStack) -> dict[str, Any]:
    """The resources of the built template, which the embedded stack was deployed from."""
    folder = ROOT / ".aws-sam" / "embedded"
    parsed: dict[str, Any] = yaml_parse((folder / "template.yaml").read_text())["Resources"]
    for resource in parsed.values():
        for key in {"CodeUri", "ContentUri"} & set(resource.get("Properties", {})):
            resource["Properties"][key] = str(folder / resource["Properties"][key])
    return parsed


@pytest.mark.parametrize("name", ["Accept", "Authorizer", "BatchFanout", "Callback", "ProcessImage"])
def test_a_built_function_loads_with_nothing_but_its_build_output_and_the_sdk_that_was_tested(
    built: dict[str, Any], name: str
) -> None:
    function = built[f"{name}Function"]["Properties"]
    layers = [f"{built[one['Ref']]['Properties']['ContentUri']}/python" for one in function["Layers"]]
    environment = {"POWERTOOLS_METRICS_NAMESPACE": "test", "AWS_XRAY_SDK_ENABLED": "false"}

    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", RUN, json.dumps([function["CodeUri"], *layers]), function["Handler"]],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    path, version = json.loads(done.stdout.splitlines()[-1])
    assert path.startswith(built["CommonLayer"]["Properties"]["ContentUri"])
    assert f"boto3=={version}" in sbom.pinned(ROOT / "layers" / "common" / "requirements.txt")
