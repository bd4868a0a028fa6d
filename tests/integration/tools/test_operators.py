"""What the operators' commands say and pass on, on moto's AWS."""

import json
import os
import re
import sys
from importlib import import_module
from pathlib import Path

import boto3
import pytest

from tools import deploy, first_job, stack
from tools.deploy import make_plan, outdated
from tools.remove import Remover
from tools.render import template
from tools.stack import OperatorError

COMMANDS = ("deploy", "remove", "engine_key", "api_key", "first_job", "redeliver", "redrive")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A samconfig.toml that sets two parameters."""
    path = tmp_path / "samconfig.toml"
    path.write_text(
        'version = 0.1\n[default.global.parameters]\nstack_name = "images"\n[default.deploy.parameters]\n'
        'parameter_overrides = ["LogLevel=DEBUG", \'FallbackWatermarkText="two words"\']\n'
    )
    return path


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("region", "told"), [("", "no AWS region is chosen"), ("eu-central-1", "no credentials for AWS were found")]
)
def test_what_is_missing_is_told_in_one_line(
    command: str, region: str, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_REGION", region)
    monkeypatch.setattr(sys, "argv", [command])

    with pytest.raises(SystemExit) as ended:
        stack.run(import_module(f"tools.{command}").main)

    (line,) = capsys.readouterr().err.splitlines()
    assert ended.value.code == 1
    assert line.startswith(f"not done: {told}")


def test_the_region_is_that_of_either_variable_or_the_profile(
    aws: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "config").write_text("[default]\nregion = eu-west-3\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert stack.session().region_name == "eu-west-3"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-2")
    assert stack.session().region_name == "eu-west-2"
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert stack.session().region_name == "eu-west-1"


def test_only_what_the_configuration_changes_is_passed_to_a_new_stack(aws: None, config: Path) -> None:
    plan = make_plan(config, "default", "", 'MaxConcurrentJobs=5 LogLevel="ERROR"')

    assert (plan.stack, plan.architecture) == ("images", "arm64")
    assert plan.changed == {"LogLevel": "ERROR", "FallbackWatermarkText": "two words", "MaxConcurrentJobs": "5"}
    assert outdated(stack.session(), plan) == {}


def test_a_new_default_reaches_a_stack_that_was_deployed_with_the_old_one(aws: None, config: Path) -> None:
    has = {"OpenAIImageModel": "gpt-image-1", "LogLevel": "INFO", "MaxConcurrentJobs": "10"}
    older = {
        "Parameters": {name: {"Type": "String"} for name in has},
        "Resources": {"Queue": {"Type": "AWS::SQS::Queue"}},
    }
    boto3.client("cloudformation").create_stack(
        StackName="images",
        TemplateBody=json.dumps(older),
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in has.items()],
    )
    plan = make_plan(config, "default", "", "")

    assert outdated(stack.session(), plan) == {"OpenAIImageModel": deploy.defaults()["OpenAIImageModel"]}


@pytest.mark.parametrize("name", ["x" * 71, "1st", "under_score"])
def test_a_name_that_aws_would_refuse_is_refused_before_the_build(config: Path, name: str) -> None:
    with pytest.raises(OperatorError, match=rf"'{name}' \({len(name)} characters\).*70 characters at the most"):
        make_plan(config, "default", name, "")


def test_the_longest_stack_name_is_what_the_templates_longest_name_leaves() -> None:
    resources = template()["Resources"].values()
    names = [str(one.get("Properties", {}).get("Name", "")) for one in resources]
    suffixes = re.findall(r"\$\{AWS::StackName\}([a-z-]+)", " ".join(names))

    assert max(map(len, suffixes)) == 80 - deploy.MAX_STACK_NAME


@pytest.mark.parametrize(("parameters", "told"), [("Loudness=11", "no parameter Loudness"), ("loud", "Name=value")])
def test_a_parameter_that_does_not_exist_is_refused_before_the_build(config: Path, parameters: str, told: str) -> None:
    with pytest.raises(OperatorError, match=told):
        make_plan(config, "default", "", parameters)


def test_records_that_would_not_outlive_their_executions_are_refused_before_the_build(config: Path) -> None:
    with pytest.raises(OperatorError, match=r"JobsExpirationDays=6 would delete .* give 7 at least"):
        make_plan(config, "default", "", "JobsExpirationDays=6")

    make_plan(config, "default", "", "JobsExpirationDays=4 ExecutionTimeoutSeconds=259200")


def test_executions_that_outlive_their_map_runs_results_are_refused_before_the_build(config: Path) -> None:
    with pytest.raises(OperatorError, match=r"ExecutionTimeoutSeconds=604801 is too long.* 604800 at most"):
        make_plan(config, "default", "", "ExecutionTimeoutSeconds=604801")

    make_plan(config, "default", "", "ExecutionTimeoutSeconds=604800")


def test_a_stack_that_does_not_exist_is_told_with_its_region(aws: None) -> None:
    with pytest.raises(OperatorError, match="no stack images in us-east-1"):
        stack.outputs("images")


@pytest.mark.parametrize(
    ("server", "told"),
    [
        ("https://api.openai.com/v1", "OpenAI's edit is paid by its key's owner"),
        ("http://127.0.0.1:8081/v1", "The edit is made by http://127.0.0.1:8081/v1"),
    ],
)
def test_a_first_job_on_this_machine_tells_who_makes_the_edit(tmp_path: Path, server: str, told: str) -> None:
    described = tmp_path / "stack.json"
    described.write_text(json.dumps({"openai_base_url": server}))

    assert first_job.editor(described) == told
    assert first_job.editor(None) == "OpenAI's edit is paid by its key's owner"


def test_a_bucket_is_emptied_of_every_version(aws: None) -> None:
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="jobs")
    s3.put_bucket_versioning(Bucket="jobs", VersioningConfiguration={"Status": "Enabled"})
    for key in ("a", "b/c", "a"):
        s3.put_object(Bucket="jobs", Key=key, Body=b"x")
    s3.delete_object(Bucket="jobs", Key="a")

    Remover(stack.session(), "images").delete("jobs")

    assert s3.list_buckets()["Buckets"] == []
