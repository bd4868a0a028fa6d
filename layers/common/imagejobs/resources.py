"""The one wiring: clients, buckets and records, made from a function's settings on first use and kept from then on.

Each function's `app.py` has `resources()`, which makes one for the life of the process. Tests make their own.
The SDK takes half a second to import: that is spent when a client is made, not when a module is imported.
"""

from base64 import b64encode
from dataclasses import dataclass
from functools import cached_property
from hashlib import md5
from typing import TYPE_CHECKING, Any, Literal

from imagejobs.executions import Executions
from imagejobs.job_store import JobStore
from imagejobs.secrets import COS_MEMBERS, CosSecrets, Secrets, read_secrets
from imagejobs.settings import StorageSettings
from imagejobs.storage import Bucket

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.parameters import SecretsProvider
    from botocore.config import Config
    from mypy_boto3_bedrock_runtime.client import BedrockRuntimeClient
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_sqs.client import SQSClient
    from mypy_boto3_stepfunctions.client import SFNClient

# As long as Lambda lets a function run; whoever calls ends it before.
_LONGEST_CALL_SECONDS = 900


@dataclass(frozen=True)
class Patience:
    """How long a call of the SDK may take: seconds to connect and between two bytes, attempts in all."""

    connect: float = 5
    read: float = 30
    attempts: int = 3

    def config(self, **further: Any) -> "Config":
        """As the SDK takes it."""
        from botocore.config import Config

        return Config(
            connect_timeout=self.connect,
            read_timeout=self.read,
            retries={"total_max_attempts": self.attempts, "mode": "standard"},
            **further,
        )


class Clients:
    """The SDK's clients for the account and for COS; `options` (endpoint, region, keys) go to those of the account."""

    def __init__(self, patience: Patience = Patience(), **options: Any) -> None:
        self._patience = patience
        self._options = options
        self._cos: tuple[tuple[str, ...], S3Client] | None = None
        self._bedrock: tuple[tuple[str, ...], BedrockRuntimeClient] | None = None

    @cached_property
    def s3(self) -> "S3Client":
        """For the account's own buckets."""
        import boto3

        # By default a presigned URL names S3's global host, which answers for a bucket of another region with a
        # redirect that breaks the signature, or not at all (S3 user guide, "Virtual hosting of general purpose
        # buckets").
        return boto3.client("s3", config=self._storage_config("virtual"), **self._options)

    @cached_property
    def sqs(self) -> "SQSClient":
        """For the dead-letter queue."""
        import boto3

        return boto3.client("sqs", config=self._patience.config(), **self._options)

    @cached_property
    def step_functions(self) -> "SFNClient":
        """For the state machine."""
        import boto3

        return boto3.client("stepfunctions", config=self._patience.config(), **self._options)

    @cached_property
    def secrets(self) -> "SecretsProvider":
        """For the stack's secrets, with a cache of its own."""
        import boto3
        from aws_lambda_powertools.utilities.parameters import SecretsProvider

        client = boto3.client("secretsmanager", config=self._patience.config(), **self._options)
        return SecretsProvider(boto3_client=client)

    def bedrock(self, region: str, endpoint: str = "") -> "BedrockRuntimeClient":
        """For Amazon Bedrock's models in a region, or at another address; kept until it is asked for another one.

        It tries nothing again by itself: an edit costs, and the state machine counts the attempts.
        """
        import boto3

        where = (region, endpoint)
        if self._bedrock is None or self._bedrock[0] != where:
            options = self._options | {"region_name": region, "endpoint_url": endpoint or None}
            config = Patience(read=_LONGEST_CALL_SECONDS, attempts=1).config()
            self._bedrock = where, boto3.client("bedrock-runtime", config=config, **options)
        return self._bedrock[1]

    def cos(self, endpoint: str, region: str, access_key_id: str, secret_access_key: str) -> "S3Client":
        """For IBM COS, with its HMAC keys; kept until it is asked for with other ones."""
        import boto3

        access = (endpoint, region, access_key_id, secret_access_key)
        if self._cos is None or self._cos[0] != access:
            client = boto3.client(
                "s3",
                endpoint_url=endpoint,
                region_name=region,
                aws_access_key_id=access_key_id,
                aws_secret_access_key=secret_access_key,
                config=self._storage_config("path"),
            )
            client.meta.events.register("before-call.s3.DeleteObjects", _add_md5)
            self._cos = access, client
        return self._cos[1]

    def _storage_config(self, addressing_style: Literal["path", "virtual"]) -> "Config":
        # The SDK tries storage calls again by itself, unlike OpenAI's: an upload that fails after a paid edit would
        # cost a second edit if only the state machine tried again.
        return self._patience.config(
            signature_version="s3v4",
            # The SDK adds a checksum of its own to every transfer unless told otherwise. COS does not know it, and
            # beside TLS it is work that a batch feels.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": addressing_style},
        )


class Resources[S: StorageSettings]:
    """What a function works with. A function that keeps more of its own has a subclass."""

    def __init__(self, settings: S, clients: Clients | None = None) -> None:
        self.settings = settings
        self.clients = clients or Clients()

    def owner_secrets[M: Secrets](self, model: type[M]) -> M:
        """What the owner filled in, at most `secrets.MAX_AGE_SECONDS` old; raises the errors of `read_secrets`.

        The keys of COS are read only where images lie there: a broken one stops no other stack.
        """
        unused = () if self.settings.cos_endpoint else COS_MEMBERS
        return read_secrets(self.clients.secrets, self.settings.secret_arn, model, unused)

    @cached_property
    def jobs(self) -> JobStore:
        """The records of the jobs."""
        return JobStore(Bucket(self.clients.s3, self.settings.jobs_bucket))

    @cached_property
    def executions(self) -> Executions:
        """The executions of the state machine."""
        return Executions(self.clients.step_functions, self.settings.state_machine_arn)

    @property
    def inputs(self) -> Bucket:
        """The bucket that batches read from."""
        return Bucket(self._image_client, self.settings.cos_input_bucket)

    @property
    def outputs(self) -> Bucket:
        """The bucket that edited images go to."""
        return Bucket(self._image_client, self.settings.output_bucket)

    @property
    def _image_client(self) -> "S3Client":
        """COS with the secret's present keys when an endpoint is set, else the account's S3."""
        if not self.settings.cos_endpoint:
            return self.clients.s3
        secrets = self.owner_secrets(CosSecrets)
        return self.clients.cos(
            self.settings.cos_endpoint,
            self.settings.cos_region,
            secrets.cos_access_key_id.get_secret_value(),
            secrets.cos_secret_access_key.get_secret_value(),
        )


def _add_md5(params: dict[str, Any], **_: Any) -> None:
    """Add the header that COS asks for with DeleteObjects, in whose place the SDK sends S3's newer checksums."""
    params["headers"]["Content-MD5"] = b64encode(md5(params["body"], usedforsecurity=False).digest()).decode()
