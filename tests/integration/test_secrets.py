"""The secrets as functions read them: what is wrong is named, what is in them never shown."""

import json
import traceback

import boto3
import pytest

from functions.accept.settings import AcceptSecrets
from functions.callback.settings import SigningSecrets
from imagejobs.errors import ConfigurationError
from imagejobs.resources import Clients
from imagejobs.secrets import CosSecrets, EditSecrets, Secrets, read_secrets

HIDDEN = 4815162342


def read[M: Secrets](text: str, model: type[M]) -> M:
    boto3.client("secretsmanager").put_secret_value(SecretId="secrets", SecretString=text)
    return read_secrets(Clients().secrets, "secrets", model)


@pytest.mark.parametrize("value", [HIDDEN, [str(HIDDEN)], {"key": str(HIDDEN)}, [f"sk-{HIDDEN}"], None, True])
@pytest.mark.parametrize(
    ("model", "member"),
    [
        (CosSecrets, "COS_ACCESS_KEY_ID"),
        (EditSecrets, "OPENAI_API_KEY"),
        (AcceptSecrets, "WORKSHOP_TOKEN"),
        (SigningSecrets, "CALLBACK_SIGNING_KEY"),
    ],
)
def test_a_member_of_another_type_is_named_with_the_type_that_is_expected_and_not_shown(
    stack: dict[str, str], model: type[Secrets], member: str, value: object
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read(json.dumps({member: value}), model)

    assert str(refused.value) == f"the secret's member {member} has another type: expected a string"
    assert str(HIDDEN) not in "".join(traceback.format_exception(refused.value))


def test_every_member_of_another_type_is_named(stack: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match=r"COS_ACCESS_KEY_ID .*; .* OPENAI_API_KEY "):
        read('{"OPENAI_API_KEY": 1, "COS_ACCESS_KEY_ID": 2}', EditSecrets)


@pytest.mark.parametrize("text", [f"sk-{HIDDEN}", f'["sk-{HIDDEN}"]', f'{{"OPENAI_API_KEY": "sk-{HIDDEN}"', "1"])
def test_what_is_not_a_json_object_is_told_and_not_shown(stack: dict[str, str], text: str) -> None:
    with pytest.raises(ConfigurationError, match="not a JSON object: expected") as refused:
        read(text, EditSecrets)

    assert str(HIDDEN) not in "".join(traceback.format_exception(refused.value))


def test_a_member_that_a_function_does_not_need_does_not_stop_it(stack: dict[str, str]) -> None:
    text = json.dumps({"OPENAI_API_KEY": HIDDEN, "WORKSHOP_TOKEN": HIDDEN, "COS_ACCESS_KEY_ID": "id", "OTHER": HIDDEN})

    assert read(text, CosSecrets).cos_access_key_id.get_secret_value() == "id"
    assert not read(text, SigningSecrets).callback_signing_key


def test_what_was_read_does_not_show_itself(stack: dict[str, str]) -> None:
    secrets = read(json.dumps({"OPENAI_API_KEY": f"sk-{HIDDEN}"}), AcceptSecrets)

    assert str(HIDDEN) not in f"{secrets!r} {secrets} {secrets.model_dump_json()}"
