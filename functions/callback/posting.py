"""One signed and guarded POST to a URL of a caller's."""

from dataclasses import dataclass

from functions.callback.attempt import Attempt, attempt
from functions.callback.settings import CallbackSettings, SigningSecrets
from functions.callback.signing import signed_headers
from imagejobs.errors import ConfigurationError
from imagejobs.job_request import JobRequest
from imagejobs.outbound.network import Network
from imagejobs.resources import Resources
from imagejobs.secrets import read_secrets


@dataclass(frozen=True)
class Poster:
    """Posts to a job's caller what callbacks and progress have in common: signature, guard and headers."""

    resources: Resources[CallbackSettings]
    network: Network

    def post(self, request: JobRequest, url: str, webhook_id: str, body: bytes) -> Attempt:
        """Post once; nothing is sent unsigned."""
        settings = self.resources.settings
        try:
            headers = signed_headers(self._signing_keys, webhook_id, body)
        except ConfigurationError as error:
            return Attempt(milliseconds=0, error=error)
        return attempt(
            settings.delivery_url(url),
            body,
            {**headers, "x-correlation-id": request.correlation_id},
            settings.callback_policy,
            settings.callback_timeout_seconds,
            self.network,
        )

    @property
    def _signing_keys(self) -> str:
        arn = self.resources.settings.signing_secret_arn
        secrets = read_secrets(self.resources.clients.secrets, arn, SigningSecrets)
        return secrets.callback_signing_key.get_secret_value()
