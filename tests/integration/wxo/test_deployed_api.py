"""Where `make wxo-tools` finds the API by default: in the stack that samconfig.toml names."""

import json
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from functions.accept.settings import AccessControl
from wxo.generate import deployed_api, local_api

URL = "https://abc123.execute-api.eu-central-1.amazonaws.com/v1"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A samconfig.toml that names a stack `images`, in an account without any."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    path = tmp_path / "samconfig.toml"
    path.write_text(
        '[default.global.parameters]\nstack_name = "images"\n[default.deploy.parameters]\nregion = "eu-central-1"\n'
    )
    with mock_aws():
        yield path


def deploy(outputs: dict[str, str], parameters: dict[str, str] | None = None) -> None:
    given = parameters or {}
    template = {
        "Parameters": {name: {"Type": "String"} for name in given},
        "Resources": {"Queue": {"Type": "AWS::SQS::Queue"}},
        "Outputs": {name: {"Value": value} for name, value in outputs.items()},
    }
    boto3.client("cloudformation", region_name="eu-central-1").create_stack(
        StackName="images",
        TemplateBody=json.dumps(template),
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in given.items()],
    )


@pytest.mark.parametrize("access", AccessControl)
def test_url_and_access_control_are_read_from_the_stack(config: Path, access: AccessControl) -> None:
    deploy({"ApiUrl": URL}, {"AccessControl": access})

    assert deployed_api(config) == (URL, access)


def test_a_missing_stack_is_said(config: Path, tmp_path: Path) -> None:
    with pytest.raises(LookupError, match=r"'images' could not be read.*API_URL=.*STACK_FILE="):
        deployed_api(config)
    with pytest.raises(LookupError, match=r"no stack is up\. Start one: make up"):
        local_api(tmp_path / "stack.json")


def test_another_stack_is_said(config: Path) -> None:
    deploy({"Queue": "x"})

    with pytest.raises(LookupError, match="no output ApiUrl"):
        deployed_api(config)
