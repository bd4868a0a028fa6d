"""Bridge of Secrets Manager in CloudFormation.

| on AWS                                                    | ministack 1.5.33                          |
|-----------------------------------------------------------|-------------------------------------------|
| GenerateSecretString honours ExcludePunctuation           | honours ExcludeCharacters alone           |

Source: CloudFormation template reference, "AWS::SecretsManager::Secret GenerateSecretString".
"""

import string
from typing import Any

from ministack.services.cloudformation import provisioners

_secret_string = provisioners._sm_secret_string


def apply() -> None:
    """Put this bridge in place."""
    provisioners._sm_secret_string = secret_string


def secret_string(properties: dict[str, Any]) -> Any:
    """Make the secret's text."""
    wanted = properties.get("GenerateSecretString")
    if wanted and str(wanted.get("ExcludePunctuation", "")).lower() == "true":
        excluded = wanted.get("ExcludeCharacters", "") + string.punctuation
        properties = {**properties, "GenerateSecretString": {**wanted, "ExcludeCharacters": excluded}}
    return _secret_string(properties)
