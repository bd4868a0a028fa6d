"""The stack's two secrets, JSON objects in AWS Secrets Manager: the owner's keys, and the key that signs callbacks.

Each function reads by a model of the members that it needs, so that a broken member stops only what needs it.
"""

from collections.abc import Collection
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError, ValidationInfo, model_validator

from imagejobs.errors import ConfigurationError, SecretsUnavailableError

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.parameters import SecretsProvider

# How long a function keeps what it read, in seconds: a rotated key is in use everywhere after this.
MAX_AGE_SECONDS = 300


class Secrets(BaseModel):
    """Base of what a function reads of a secret: field `openai_api_key` is the member OPENAI_API_KEY.

    An absent or empty member is an empty `SecretStr`, which is false.
    """

    model_config = ConfigDict(alias_generator=str.upper, extra="ignore", frozen=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _without_unused_members(cls, members: object, info: ValidationInfo) -> object:
        if not isinstance(members, dict) or info.context is None:
            return members
        return {name: value for name, value in members.items() if name not in info.context["unused"]}


class CosSecrets(Secrets):
    """What every function needs of the owner's secret where images lie in IBM COS."""

    cos_access_key_id: SecretStr = SecretStr("")
    cos_secret_access_key: SecretStr = SecretStr("")


COS_MEMBERS = frozenset(map(str.upper, CosSecrets.model_fields))


class EditSecrets(CosSecrets):
    """What an edit needs of the owner's secret."""

    openai_api_key: SecretStr = SecretStr("")
    gemini_api_key: SecretStr = SecretStr("")


def read_secrets[M: Secrets](
    provider: "SecretsProvider", secret_arn: str, model: type[M], unused: Collection[str] = ()
) -> M:
    """Read a secret, at most once every MAX_AGE_SECONDS with one provider; members in `unused` count as absent.

    Raises:
        SecretsUnavailableError: Secrets Manager could not be reached or refused.
        ConfigurationError: the secret is not a JSON object, or one of the model's members has another type.
    """
    # Here, since it brings the SDK along.
    from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError

    try:
        text = provider.get(secret_arn, max_age=MAX_AGE_SECONDS)
    except GetParameterError as error:
        raise SecretsUnavailableError(f"the secret could not be read: {type(error).__name__}") from error
    try:
        return model.model_validate_json(str(text), context={"unused": unused})
    except ValidationError as error:
        problems = {_problem(list(map(str, one["loc"]))) for one in error.errors(include_input=False)}
    # Outside of the except block: what pydantic found stays out of every traceback.
    raise ConfigurationError("; ".join(sorted(problems)))


def _problem(path: list[str]) -> str:
    if not path:
        return 'the secret is not a JSON object: expected {"NAME": "value", …}'
    return f"the secret's member {'.'.join(path)} has another type: expected a string"
