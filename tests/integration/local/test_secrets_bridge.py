"""What the template asks of a generated secret, in the emulator as on AWS."""

import base64
import json

from local.bridges.secrets import secret_string
from tests.integration.local.conftest import Aws


def test_a_generated_signing_key_is_letters_and_digits(aws: Aws) -> None:
    generate = {
        "SecretStringTemplate": '{"OPENAI_API_KEY": ""}',
        "GenerateStringKey": "CALLBACK_SIGNING_KEY",
        "PasswordLength": 44,
        "ExcludePunctuation": True,
    }
    secret = {"Type": "AWS::SecretsManager::Secret", "Properties": {"GenerateSecretString": generate}}
    name = aws.stack({"Resources": {"Secret": secret}, "Outputs": {"Id": {"Value": {"Ref": "Secret"}}}})["Id"]

    made = json.loads(aws("secretsmanager").get_secret_value(SecretId=name)["SecretString"])

    assert made["OPENAI_API_KEY"] == ""
    assert len(base64.b64decode(made["CALLBACK_SIGNING_KEY"], validate=True)) == 33


def test_every_class_of_characters_is_kept_out_as_asked() -> None:
    classes = dict.fromkeys(("ExcludePunctuation", "ExcludeNumbers", "ExcludeUppercase"), "true")

    made = secret_string({"GenerateSecretString": {**classes, "ExcludeCharacters": "x", "PasswordLength": 200}})

    assert set(made) <= set("abcdefghijklmnopqrstuvwyz")
