"""Bridge of CloudFormation's AWS::SecretsManager::Secret.

| on AWS                                                          | ministack 1.5.33                              |
|-----------------------------------------------------------------|-----------------------------------------------|
| `GenerateSecretString` keeps out what `ExcludePunctuation`,     | only `ExcludeCharacters`: a signing key came  |
| `ExcludeNumbers`, `ExcludeUppercase`, `ExcludeLowercase` say    | with punctuation, and so was not valid base64 |

Source: CloudFormation reference, "AWS::SecretsManager::Secret GenerateSecretString".
"""

import string
from typing import Any

from ministack.services.cloudformation import provisioners

_EXCLUDED = {
    "ExcludePunctuation": string.punctuation,
    "ExcludeNumbers": string.digits,
    "ExcludeUppercase": string.ascii_uppercase,
    "ExcludeLowercase": string.ascii_lowercase,
}

_secret_string = provisioners._sm_secret_string


def apply() -> None:
    """Put this bridge in place."""
    provisioners._sm_secret_string = secret_string


def secret_string(properties: dict[str, Any]) -> str:
    """Say the classes of characters that are to be kept out by their characters."""
    generate = properties.get("GenerateSecretString")
    if generate:
        excluded = [generate.get("ExcludeCharacters", "")]
        excluded += [characters for name, characters in _EXCLUDED.items() if str(generate.get(name)).lower() == "true"]
        properties = {**properties, "GenerateSecretString": {**generate, "ExcludeCharacters": "".join(excluded)}}
    return str(_secret_string(properties))
