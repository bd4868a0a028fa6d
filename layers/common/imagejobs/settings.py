"""Settings that several functions share, and the one place that reads the environment.

Each function has its own subclass in its own folder (`functions/<name>/settings.py`).
"""

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, Json

from imagejobs.catalogue import DEFAULT_MODEL, LOCAL, EngineName
from imagejobs.outbound.policy import OutboundPolicy, rewritten
from imagejobs.prices import ModelPrice, PriceList
from imagejobs.secrets import EditSecrets
from imagejobs.workflow import Operation


class Settings(BaseModel):
    """Base of every function's settings: field `cos_region` is read from the variable `COS_REGION`."""

    model_config = ConfigDict(
        alias_generator=str.upper, populate_by_name=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    jobs_bucket: str = ""
    # The secret that the owner fills in.
    secret_arn: str = ""
    state_machine_arn: str = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the process's environment; an empty variable counts as absent, so that its default holds."""
        return cls.model_validate({name: value for name, value in environment.items() if value.strip()})


class StorageSettings(Settings):
    """Where the images come from and go to: IBM COS when `cos_endpoint` is set, else the stack's own S3 buckets."""

    cos_endpoint: str = ""
    cos_region: str = "eu-geo"
    cos_bucket: str = ""
    cos_input_bucket: str = ""
    cos_output_bucket: str = ""
    cos_input_prefix: str = ""
    cos_output_prefix: str = "results/batch"
    cos_presign_expires: Annotated[int, Field(ge=1, le=604_800)] = 900  # SigV4 allows seven days at the most

    # Where Amazon Bedrock is asked; empty where it is off.
    bedrock_region: str = ""
    # Who is asked about prompt and picture before an edit.
    prompt_screening: Literal["off", "openai"] = "off"

    @property
    def input_prefix(self) -> str:
        """The input prefix without slashes around it, with one behind it when there is any: "" or "photos/"."""
        prefix = self.cos_input_prefix.strip("/")
        return f"{prefix}/" if prefix else ""

    @property
    def output_bucket(self) -> str:
        """The output bucket, which the legacy setting COS_BUCKET names when COS_OUTPUT_BUCKET does not."""
        return self.cos_output_bucket or self.cos_bucket

    @staticmethod
    def url_output_prefix(job_id: str) -> str:
        """The prefix of a URL job's result."""
        return f"results/{job_id}/"

    def batch_output_prefix(self, job_id: str, segment: str | None = None) -> str:
        """The prefix of a batch's results: `{COS_OUTPUT_PREFIX}/{job_id}/`, below the `segment` that the job chose."""
        parts = [self.cos_output_prefix.strip("/"), segment, job_id]
        return "/".join(part for part in parts if part) + "/"

    def screens(self, engine: EngineName) -> bool:
        """Whether OpenAI's moderation sees first what this engine is asked: all that leaves for a provider."""
        return self.prompt_screening == "openai" and engine != LOCAL

    def missing(self, operation: Operation, engine: EngineName, secrets: EditSecrets) -> list[str]:
        """Name every setting and secret that an edit by this engine needs and that is not there, in alphabetical order.

        Asked before a job is recorded, and again before money is spent on it: settings may change in between.
        """
        needed: dict[str, object] = {"JOBS_BUCKET": self.jobs_bucket}
        if operation != "base64":
            needed["COS_OUTPUT_BUCKET"] = self.output_bucket
            if self.cos_endpoint:
                needed["COS_ACCESS_KEY_ID"] = secrets.cos_access_key_id
                needed["COS_SECRET_ACCESS_KEY"] = secrets.cos_secret_access_key
        if operation == "batch":
            needed["COS_INPUT_BUCKET"] = self.cos_input_bucket
        return sorted([*_without_value(needed), *self.missing_for(engine, secrets)])

    def missing_for(self, engine: EngineName, secrets: EditSecrets) -> list[str]:
        """Name every setting and secret without which this engine cannot be asked and that is not there."""
        needed: dict[str, object] = {}
        match engine:
            case "openai":
                needed["OPENAI_API_KEY"] = secrets.openai_api_key
            case "bedrock":
                needed["BEDROCK_REGION"] = self.bedrock_region
            case "gemini":
                needed["GEMINI_API_KEY"] = secrets.gemini_api_key
        if self.screens(engine):
            needed["OPENAI_API_KEY"] = secrets.openai_api_key
        return _without_value(needed)


def _without_value(needed: Mapping[str, object]) -> list[str]:
    return [name for name, value in needed.items() if not value]


class FallbackSettings(Settings):
    """Who stands in for a model whose billing limit is reached."""

    # Names of models in their order, separated by commas or spaces.
    fallback_models: str = "local"
    # Whether they do so for a single image too.
    enable_fallback_single: bool = True

    @property
    def fallback_order(self) -> list[str]:
        """The names of the models that stand in."""
        return self.fallback_models.replace(",", " ").split()


class PriceSettings(Settings):
    """What edits cost and may cost, and what the stack asks OpenAI's models for, on which that depends."""

    openai_image_model: str = DEFAULT_MODEL
    openai_image_quality: Literal["low", "medium", "high", "xhigh", "max", "auto"] = "medium"
    openai_image_size: str = "auto"
    # The owner's own prices by model, in the form of prices.json, whose rows of the same name they replace.
    model_prices: Json[dict[str, ModelPrice]] = {}
    # What one job may cost in USD; 0 for no bound.
    max_cost_usd_per_job: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0

    @property
    def prices(self) -> PriceList:
        """What models cost."""
        return PriceList(own=self.model_prices)


class CallbackUrlSettings(Settings):
    """Which callback URLs are taken and where they lead: the same at acceptance and at delivery."""

    enable_callback_rewrite: bool = False
    local_tunnel_netloc: str = "127.0.0.1:14321"
    callback_allow_http: bool = False
    callback_allow_private: bool = False
    # Host names, exact or `*.suffix`, separated by commas or spaces; empty allows every host.
    callback_allowed_hosts: str = ""
    # Set by Lambda itself: the sandbox's runtime API, which no callback may reach.
    aws_lambda_runtime_api: str = ""

    @property
    def callback_policy(self) -> OutboundPolicy:
        """What a callback may call, after `delivery_url`."""
        return OutboundPolicy(
            allow_http=self.callback_allow_http,
            allow_private=self.callback_allow_private,
            allowed_hosts=tuple(self.callback_allowed_hosts.replace(",", " ").split()),
            runtime_api=self.aws_lambda_runtime_api,
        )

    @property
    def source_policy(self) -> OutboundPolicy:
        """What an `image_url` may be: as a callback, but for the list of hosts, which is the callbacks' own."""
        return replace(self.callback_policy, allowed_hosts=())

    def delivery_url(self, callback_url: str) -> str:
        """Where a callback goes: the caller's URL, rewritten for a local tunnel when that is switched on."""
        return rewritten(callback_url, self.local_tunnel_netloc) if self.enable_callback_rewrite else callback_url
