"""What IBM's development kit makes of wxo/, once for all tests."""

from typing import Any

import pytest

from functions.accept.http.openapi import agent_document, wxo_document
from functions.accept.http.routes import ROUTES
from functions.accept.settings import AccessControl
from tests.support.adk import URL, Kit


@pytest.fixture(scope="session")
def adk(tmp_path_factory: pytest.TempPathFactory) -> Kit:
    """The kit."""
    return Kit(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="session")
def kit(adk: Kit) -> dict[str, Any]:
    """What the kit made of both documents, the flows, the Python tools and the agent."""
    return adk.load(
        wxo_document(ROUTES, URL, access=AccessControl.API_KEY),
        agent_document(ROUTES, URL, access=AccessControl.API_KEY),
    )
