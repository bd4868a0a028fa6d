"""The events for `sam local invoke` are what the state machine sends."""

import json
from pathlib import Path

import pytest

from imagejobs.workflow import EditRequest

EVENTS = sorted((Path(__file__).parents[3] / "events" / "process_image").glob("*.json"))


@pytest.mark.parametrize("path", EVENTS, ids=lambda path: path.stem)
def test_an_event_is_a_request(path: Path) -> None:
    event = json.loads(path.read_text())

    assert event == EditRequest.model_validate(event).model_dump(mode="json", exclude_unset=True)
    assert (event["operation"] == "batch") == ("at" in event)
