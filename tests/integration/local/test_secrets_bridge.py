"""What the template asks of a generated secret, in the emulator as on AWS."""

import base64
import json

from local.bridges.secrets import secret_string


def test_a_generated_signing_key_is_letters_and_digits() -> None:
    generate = {
        "SecretStringTemplate": '{"OPENAI_API_KEY": ""}',
        "GenerateStringKey": "CALLBACK_SIGNING_KEY",
        "PasswordLength": 44,
        "ExcludePunctuation": True,
    }

    for _ in range(20):
        secret = json.loads(secret_string({"GenerateSecretString": generate}))
        assert secret["OPENAI_API_KEY"] == ""
        assert secret["CALLBACK_SIGNING_KEY"].isalnum()
        assert len(base64.b64decode(secret["CALLBACK_SIGNING_KEY"], validate=True)) == 33


def test_every_class_of_characters_is_kept_out_as_asked() -> None:
    generate = {
        "ExcludePunctuation": "true",
        "ExcludeNumbers": True,
        "ExcludeUppercase": True,
        "ExcludeCharacters": "x",
    }

    made = secret_string({"GenerateSecretString": {**generate, "PasswordLength": 200}})

    assert set(made) <= set("abcdefghijklmnopqrstuvwyz")


def test_a_secret_that_is_given_stays_as_it_is() -> None:
    assert secret_string({"SecretString": "s3cret!"}) == "s3cret!"
