"""The client against a small service on loopback."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from imagejobs_client import Client, Connection, Retries
from tests.support.image_jobs import ImageJobsStandIn
from tests.support.pictures import picture

KEY = "a-key-of-the-tests"


def under_way(job: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A job that has no result yet."""
    return {name: value for name, value in job.items() if name not in ("result", "finished_at")} | fields


@pytest.fixture
def service() -> Iterator[ImageJobsStandIn]:
    """The service, which takes `KEY` alone."""
    with ImageJobsStandIn(api_key=KEY) as running:
        yield running


@pytest.fixture
def client(service: ImageJobsStandIn) -> Iterator[Client]:
    """A client that waits for nothing."""
    with Client(Connection(address=service.base_url, api_key=KEY), Retries(sleep=lambda _: None)) as made:
        yield made


@pytest.fixture
def environment(service: ImageJobsStandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A person's environment: a home and a folder of the test's own, the service's address and key, 80 columns."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    set_up = {
        "HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "IMAGEJOBS_ADDRESS": service.base_url,
        "IMAGEJOBS_API_KEY": KEY,
        "COLUMNS": "80",
    }
    for name, value in set_up.items():
        monkeypatch.setenv(name, value)
    return dict(os.environ)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with three pictures and a text."""
    made = tmp_path / "here" / "holiday"
    (made / "sub").mkdir(parents=True)
    for name in ("a.png", "b.png", "sub/é.png"):
        (made / name).write_bytes(picture())
    (made / "notes.txt").write_text("buy milk")
    return made
