"""The stack's one secret: a JSON object in AWS Secrets Manager."""

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, SecretStr

from imagejobs.errors import SecretsUnavailableError

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.parameters import SecretsProvider

# How long a function keeps what it read, in seconds: a rotated key is in use everywhere after this.
MAX_AGE_SECONDS = 300


class Secrets(BaseModel):
    """The members of the secret; an absent or empty one is an empty `SecretStr`, which is false."""

    model_config = ConfigDict(alias_generator=str.upper, extra="ignore", frozen=True)

    openai_api_key: SecretStr = SecretStr("")
    cos_access_key_id: SecretStr = SecretStr("")
    cos_secret_access_key: SecretStr = SecretStr("")
    workshop_token: SecretStr = SecretStr("")
    # One key, or two separated by a space while receivers move from the old one to the new one.
    callback_signing_key: SecretStr = SecretStr("")


def read_secrets(provider: "SecretsProvider", secret_arn: str) -> Secrets:
    """Read the secret, at most once every MAX_AGE_SECONDS with one provider.

    Raises:
        SecretsUnavailableError: Secrets Manager could not be reached or refused, or the secret is not a JSON object.
    """
    # Here, since it brings the SDK along.
    from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError, TransformParameterError

    try:
        value = provider.get(secret_arn, transform="json", max_age=MAX_AGE_SECONDS)
    except (GetParameterError, TransformParameterError) as error:
        raise SecretsUnavailableError(f"the secret could not be read: {type(error).__name__}") from error
    return Secrets.model_validate(value)
