"""The callback function on a stack of the test's own."""

import pytest

from imagejobs.executions import Executions
from imagejobs.job_store import JobStore
from imagejobs.resources import Clients
from tests.integration.callback.world import World
from tests.integration.conftest import REGION


@pytest.fixture(scope="session")
def function_clients() -> Clients:
    """The function's clients, for all tests: to make one for S3 takes an eighth of a second."""
    return Clients(region_name=REGION, aws_access_key_id="testing", aws_secret_access_key="testing")


@pytest.fixture
def world(
    stack: dict[str, str],
    store: JobStore,
    executions: Executions,
    function_clients: Clients,
    monkeypatch: pytest.MonkeyPatch,
) -> World:
    """A stack with callback's resources made for it."""
    return World(stack, store, executions, function_clients, monkeypatch)
