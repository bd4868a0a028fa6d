"""Naming what a file is takes no time, whatever is in it."""

import time

import pytest

from functions.process_image.file_types import recognised
from imagejobs.errors import UnsupportedImageError


@pytest.mark.parametrize(
    "head",
    [b"<!-- -->" * 1000, b"<?xml ?>" * 1000, b"<!DOCTYPE svg>" * 1000, b" \n" * 4000, b"<!--" * 2000, b"<" * 8000],
)
def test_a_file_made_to_hold_up_the_patterns_does_not(head: bytes) -> None:
    started = time.monotonic()

    with pytest.raises(UnsupportedImageError):
        recognised(head)

    assert time.monotonic() - started < 1
