"""What `callback` reads from its environment."""

from typing import Annotated

from pydantic import Field, SecretStr

from imagejobs.secrets import Secrets
from imagejobs.settings import CallbackUrlSettings, StorageSettings


class CallbackSettings(CallbackUrlSettings, StorageSettings):
    """Settings of the callback function."""

    # Seconds for one attempt, from resolving the name to the end of the answer.
    callback_timeout_seconds: Annotated[float, Field(gt=0)] = 30
    # Seconds between two posts of a job's progress, at least.
    progress_seconds: Annotated[int, Field(ge=1)] = 10
    dead_letter_queue_url: str = ""
    # The secret with the key that signs callbacks, which the stack made.
    signing_secret_arn: str = ""


class SigningSecrets(Secrets):
    """What signs callbacks."""

    # One key, or two separated by a space while receivers move from the old one to the new one.
    callback_signing_key: SecretStr = SecretStr("")
