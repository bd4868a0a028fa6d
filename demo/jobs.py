"""The demo's jobs: which picture goes by which route to which engine, with which prompt."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

from imagejobs_cli.batching import find_pictures
from local.deployment import ROOT
from standins.receiver import Received

# What the demo writes.
FOLDER = ROOT / ".local" / "demo"
# Landscapes, each in a format of its own.
PICTURES = Path(__file__).parent / "pictures"
# A file that has the name of an image and is not one, and a picture for which the OpenAI stand-in answers that the
# billing limit is reached.
TROUBLE = Path(__file__).parent / "trouble"
AT_THE_BILLING_LIMIT = "balloons.png"
BASE64, URL, BATCH = "/process-image-async-b64", "/process-image-async", "/batch-process-images"


class DemoError(Exception):
    """The demo did not come to its end; the message says why."""


@dataclass(frozen=True)
class Picture:
    """A file for a job, by the name that it has in a batch."""

    name: str
    path: Path


@dataclass
class Job:
    """One job, from its submission to its callback. Without a `model` the stack's own edits it."""

    title: str
    route: str
    prompt: str
    pictures: list[Picture] = field(default_factory=list)
    model: str = ""
    job_id: str = ""
    submitted_at: float = 0
    received: Received | None = None

    @property
    def callback_path(self) -> str:
        """Where its callback goes."""
        return f"/{self.title.replace(' ', '-')}"

    @property
    def payload(self) -> dict[str, Any]:
        """The callback's payload."""
        assert self.received is not None
        payload: dict[str, Any] = self.received.json()
        return payload

    @property
    def seconds(self) -> float:
        """From the submission to the callback, or until now."""
        return (self.received.at if self.received else time.time()) - self.submitted_at


# The jobs with one picture each; the picture is the demo's own, where no folder is given.
_SINGLES = [
    (Job("base64 job", BASE64, "Make it winter"), "alps-at-dawn.jpg"),
    (Job("URL job", URL, "An old photograph"), "harbour/sunset.png"),
]
_BY_OTHER_ENGINES = [
    (Job("Bedrock job", URL, "A pencil sketch", model="stability.stable-image-control-structure-v1:0"), "meadow.webp"),
    (Job("Gemini job", URL, "A starry night", model="gemini-nano-banana-2.1"), "desert-noon.jpg"),
]
_BATCH = "A golden autumn watercolour"
# What callers may choose beside the stack's own model: what the jobs above name.
OTHER_MODELS = [job.model for job, _ in _BY_OTHER_ENGINES]


def plan(images: Path | None, *, with_stand_ins: bool) -> tuple[list[Job], dict[str, str]]:
    """The jobs, with the demo's pictures or a folder's, and why which files of the folder are left out.

    Bedrock and Gemini are there as stand-ins alone. So is the billing limit, which OpenAI itself cannot be made to
    answer: it meets one of the demo's own pictures. Of these, the batch edits those that no other job does, and has one
    file that is not an image; of a folder it edits every picture.
    """
    singles = [*_SINGLES, *(_BY_OTHER_ENGINES if with_stand_ins else [])]
    files, left_out = _of_folder(images) if images else (find_pictures(PICTURES, FOLDER)[0], {})
    found = [Picture(name, path) for name, path in files.items()]
    own = {picture.name: picture for picture in found}
    turns = cycle(found)
    jobs = []
    for job, name in singles:
        jobs.append(Job(job.title, job.route, job.prompt, [next(turns) if images else own.pop(name)], job.model))
    batch = found if images else [*own.values(), *_trouble(with_stand_ins)]
    return [*jobs, Job("batch", BATCH, _BATCH, batch)], left_out


def _of_folder(folder: Path) -> tuple[dict[str, Path], dict[str, str]]:
    if not folder.is_dir():
        raise DemoError(f"IMAGES={folder} is not a folder: name one that holds pictures")
    files, left_out = find_pictures(folder, FOLDER)
    if not files:
        why = "; ".join(f"{name}: {reason}" for name, reason in list(left_out.items())[:3])
        raise DemoError(f"IMAGES={folder} holds no picture that can be sent{f' ({why})' if why else ''}")
    return files, left_out


def _trouble(with_billing_limit: bool) -> Iterator[Picture]:
    for path in sorted(TROUBLE.iterdir()):
        if with_billing_limit or path.name != AT_THE_BILLING_LIMIT:
            yield Picture(path.name, path)
