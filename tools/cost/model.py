"""What 1,000 images cost on AWS: measured and counted work, times public prices. Money in US dollars."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from imagejobs.edit_options import EditOptions
from imagejobs.prices import PriceList
from tools.render import template

FOLDER = Path(__file__).parent
IMAGES = 1000
OPENAI_SECONDS = (20, 40)
# A function has one whole processor at this memory, and a share of it below ("Configure Lambda function memory").
_MB_OF_A_PROCESSOR = 1769
# What a request to S3 takes from Lambda in the same region: on the safe side, S3's guide says 100 to 200 ms for the
# first byte of a cold one ("Performance design patterns for Amazon S3").
S3_MS = 50
# Lambda's own lines of an invocation (START, END, REPORT), beside the function's.
_LAMBDA_LINES = 450
_GB = 1024**3
_PROMPT = "Replace the sky by a red evening sky and keep everything else as it is."

type Way = Literal["base64", "url", "batch"]


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Price(_Data):
    """A public price and where it stands."""

    usd: float
    what: str
    source: str


class OpenAIEdit(_Data):
    """One edit by the stack's default model and options, as `imagejobs.prices` estimates it."""

    model: str
    quality: str
    size: str
    usd: float
    as_of: str
    source: str


class Prices(_Data):
    """prices.json."""

    as_of: str
    region: str
    region_note: str
    aws: dict[str, Price]

    def usd(self, name: str) -> float:
        """A price of AWS's."""
        return self.aws[name].usd


class Invocation(_Data):
    """One invocation of a function: processor time in ms on one core, requests to S3, bytes logged.

    `images` is how many it serves; 1,000 images take it 1,000 / `images` times.
    """

    function: str
    cpu_ms: float
    s3_reads: int
    s3_writes: int
    log_bytes: int
    images: int = 1


class Job(_Data):
    """What one way of editing takes: the states that an image enters, and a whole batch of `images` beside them."""

    states: list[str]
    batch_states: list[str] = []
    images: int = 1
    invocations: list[Invocation]
    bytes_to_openai: int
    bytes_to_caller: int


class Measured(_Data):
    """measured.json, which `make cost` writes."""

    on: str
    picture_bytes: int
    picture_pixels: int
    answer_bytes: int
    jobs: dict[Way, Job]


def prices() -> Prices:
    """The public prices."""
    return Prices.model_validate_json((FOLDER / "prices.json").read_text())


def measured() -> Measured:
    """What was measured and counted last."""
    return Measured.model_validate_json((FOLDER / "measured.json").read_text())


def openai_edit() -> OpenAIEdit:
    """What OpenAI asks for an edit, which the stack's owner pays it beside AWS."""
    model, quality, size = (
        str(template()["Parameters"][f"OpenAIImage{name}"]["Default"]) for name in ("Model", "Quality", "Size")
    )
    price = PriceList().find(model)
    usd = price and price.estimate(_PROMPT, EditOptions.model_validate({"quality": quality, "size": size}), 1)
    if price is None or usd is None:
        raise ValueError(f"imagejobs/prices.json does not say what an edit by {model} costs")
    return OpenAIEdit(model=model, quality=quality, size=size, usd=usd, as_of=price.as_of, source=price.source)


def memory_mb(function: str) -> int:
    """A function's memory, as the template has it."""
    return int(template()["Resources"][function]["Properties"]["MemorySize"])


def costs(way: Way, openai_seconds: float, given: Measured, at: Prices) -> dict[str, float]:
    """What 1,000 images cost, by what is paid for; those of a batch are one batch."""
    job = given.jobs[way]
    batches = IMAGES if way != "batch" else 1
    transitions = len(job.states) * IMAGES + len(job.batch_states)
    waiting = openai_seconds * memory_mb("ProcessSmallImageFunction") / 1024 * IMAGES
    calls = [(one, IMAGES / one.images) for one in job.invocations]
    requests = sum(times for _, times in calls)
    reads, writes = (sum(getattr(one, name) * times for one, times in calls) for name in ("s3_reads", "s3_writes"))
    logged = sum((one.log_bytes + _LAMBDA_LINES) * times for one, times in calls)
    sent = job.bytes_to_openai * IMAGES + job.bytes_to_caller * batches
    return {
        "waiting for OpenAI (Lambda)": waiting * at.usd("lambda_gb_second"),
        "work (Lambda)": _gb_seconds(calls) * at.usd("lambda_gb_second") + requests * at.usd("lambda_request"),
        "state transitions": transitions * at.usd("state_transition"),
        "data sent to OpenAI and to the caller": sent / _GB * at.usd("gb_sent"),
        "requests to S3": reads * at.usd("s3_read") + writes * at.usd("s3_write"),
        "requests to the API": batches * at.usd("api_request"),
        "logs": logged / _GB * at.usd("gb_logged"),
    }


def _gb_seconds(calls: Iterable[tuple[Invocation, float]]) -> float:
    return sum(billed_ms(one) / 1000 * memory_mb(one.function) / 1024 * times for one, times in calls)


def billed_ms(invocation: Invocation) -> float:
    """What Lambda bills of an invocation's own work: processor time by the memory's share of it, and S3's answers."""
    slower = max(1.0, _MB_OF_A_PROCESSOR / memory_mb(invocation.function))
    return invocation.cpu_ms * slower + (invocation.s3_reads + invocation.s3_writes) * S3_MS


def monthly(at: Prices) -> dict[str, tuple[int, float]]:
    """What the stack costs a month whatever it does: how many of each, and their price."""
    resources = template()["Resources"].values()
    alarms = [one["Properties"] for one in resources if one["Type"] == "AWS::CloudWatch::Alarm"]
    watched = sum(max(1, sum("MetricStat" in metric for metric in alarm.get("Metrics", []))) for alarm in alarms)
    secrets = sum(one["Type"] == "AWS::SecretsManager::Secret" for one in resources)
    return {
        "metrics that alarms watch": (watched, watched * at.usd("alarm_month")),
        "secrets": (secrets, secrets * at.usd("secret_month")),
    }


def days_kept() -> int:
    """How long the jobs bucket keeps inputs and results by default."""
    parameter: dict[str, Any] = template()["Parameters"]["JobsExpirationDays"]
    return int(parameter["Default"])
