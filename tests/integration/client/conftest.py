"""The client against a small service on loopback."""

from collections.abc import Iterator

import pytest

from imagejobs_client import Client, Connection, Retries
from tests.support.image_jobs import ImageJobsStandIn

KEY = "a-key-of-the-tests"


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
