"""What tests of every kind have."""

from collections.abc import Iterator

import httpx2
import pytest

from tests.support.waiting import PATIENCE


@pytest.fixture(scope="session")
def http() -> Iterator[httpx2.Client]:
    """An HTTP client as patient as the tests."""
    with httpx2.Client(timeout=PATIENCE) as client:
        yield client
