"""What a function works with: made on first use, kept, and made anew when the secret's keys change."""

import json

import boto3
import pytest

from imagejobs.errors import ConfigurationError, SecretsUnavailableError
from imagejobs.resources import Clients, Resources
from imagejobs.secrets import EditSecrets
from imagejobs.settings import StorageSettings
from imagejobs.storage import Bucket

COS = {"COS_ENDPOINT": "https://cos.example", "COS_REGION": "eu-de"}


def rotate(**members: str) -> None:
    boto3.client("secretsmanager").put_secret_value(SecretId="secrets", SecretString=json.dumps(members))


def of(stack: dict[str, str], **variables: str) -> Resources[StorageSettings]:
    return Resources(StorageSettings.from_environment(stack | variables))


def test_what_was_made_once_is_kept(stack: dict[str, str]) -> None:
    resources = of(stack)

    assert resources.jobs is resources.jobs
    assert resources.executions is resources.executions
    assert resources.inputs.client is resources.outputs.client is resources.jobs.bucket.client


def test_without_an_endpoint_images_are_in_the_accounts_buckets_and_no_secret_is_read(stack: dict[str, str]) -> None:
    resources = of(stack, SECRET_ARN="nothing")

    assert resources.outputs.client is resources.clients.s3
    with pytest.raises(SecretsUnavailableError, match="the secret could not be read"):
        resources.owner_secrets(EditSecrets)


def test_a_rotated_key_makes_a_new_client_and_the_same_key_none(
    stack: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imagejobs.secrets.MAX_AGE_SECONDS", 0)
    rotate(COS_ACCESS_KEY_ID="old", COS_SECRET_ACCESS_KEY="key")
    resources = of(stack, **COS)

    before = resources.outputs.client
    assert (before.meta.endpoint_url, before.meta.region_name) == ("https://cos.example", "eu-de")
    assert resources.inputs.client is before
    rotate(COS_ACCESS_KEY_ID="new", COS_SECRET_ACCESS_KEY="key")

    assert resources.inputs.client is not before
    assert "Credential=old%2F" in Bucket(before, "output").presigned_url("a.png", 60)
    assert "Credential=new%2F" in resources.outputs.presigned_url("a.png", 60)


def test_each_reads_the_secret_for_itself(stack: dict[str, str]) -> None:
    first = of(stack)
    assert first.owner_secrets(EditSecrets).openai_api_key.get_secret_value() == "sk-test"
    rotate(OPENAI_API_KEY="sk-new")

    assert of(stack).owner_secrets(EditSecrets).openai_api_key.get_secret_value() == "sk-new"
    assert first.owner_secrets(EditSecrets).openai_api_key.get_secret_value() == "sk-test"


def test_options_of_clients_reach_every_client_of_the_account(stack: dict[str, str]) -> None:
    clients = Clients(endpoint_url="http://127.0.0.1:4566", region_name="eu-south-2")

    for client in (clients.s3, clients.sqs, clients.step_functions, clients.secrets.client):
        assert (client.meta.endpoint_url, client.meta.region_name) == ("http://127.0.0.1:4566", "eu-south-2")


def test_broken_keys_of_cos_stop_only_a_stack_whose_images_lie_there(stack: dict[str, str]) -> None:
    boto3.client("secretsmanager").put_secret_value(
        SecretId="secrets",
        SecretString='{"OPENAI_API_KEY": "sk-x", "COS_ACCESS_KEY_ID": 1, "COS_SECRET_ACCESS_KEY": null}',
    )

    assert of(stack).owner_secrets(EditSecrets).openai_api_key.get_secret_value() == "sk-x"
    with pytest.raises(ConfigurationError, match=r"COS_ACCESS_KEY_ID .*; .* COS_SECRET_ACCESS_KEY "):
        of(stack, **COS).owner_secrets(EditSecrets)
