"""Bridge of Secrets Manager in CloudFormation.

| on AWS                                                        | ministack 1.5.33                                 |
|---------------------------------------------------------------|--------------------------------------------------|
| GenerateSecretString takes the options of GetRandomPassword   | all but the length and the excluded characters   |
|                                                               | are ignored: punctuation comes regardless        |

Source: CloudFormation template reference, AWS::SecretsManager::Secret GenerateSecretString.
"""

import json
from typing import Any

from ministack.services import secretsmanager
from ministack.services.cloudformation import provisioners


def apply() -> None:
    """Put this bridge in place."""
    provisioners._sm_secret_string = secret_string


def secret_string(properties: dict[str, Any]) -> str:
    """The value of a secret as a template declares it: written out, or generated."""
    options = properties.get("GenerateSecretString")
    if not options:
        return str(properties.get("SecretString", ""))
    status, _, body = secretsmanager._get_random_password(options)
    if status != 200:
        raise ValueError(f"GenerateSecretString: {body!r}")
    password = str(json.loads(body)["RandomPassword"])
    if "SecretStringTemplate" not in options:
        return password
    return json.dumps({**json.loads(options["SecretStringTemplate"]), options["GenerateStringKey"]: password})
