"""The header Prefer, as RFC 7240 writes it."""

import pytest

from functions.accept.http.preferences import Preferences


@pytest.mark.parametrize(
    ("header", "respond_async", "wait"),
    [
        (None, False, None),
        ("respond-async", True, None),
        ("Respond-Async, WAIT=10", True, 10),
        ("wait = 10 ; foo=bar, respond-async;x", True, 10),
        ('wait="7"', False, 7),
        ("wait=0", False, 0),
        ("wait=007", False, 7),
        ("wait=26", False, 25),
        ("wait=" + "9" * 5000, False, 25),
        # Unknown ones are passed over, whatever is in them.
        ('return=minimal, foo="a, wait=3, b", respond-async', True, None),
        # The first of a name counts.
        ("wait=1, wait=2", False, 1),
        ("wait=x, wait=2", False, None),
        # Malformed ones are as good as none.
        ("wait", False, None),
        ("wait=", False, None),
        ("wait=-1", False, None),
        ("wait=1.5", False, None),
        ("wait=\N{ARABIC-INDIC DIGIT ONE}", False, None),
        ("wait 5", False, None),
        ("respond-async=yes", False, None),
        ('"respond-async', True, None),
        ('foo="bar, respond-async', True, None),
        ('foo="' + r"\"" * 10_000, False, None),
        (",,", False, None),
    ],
)
def test_prefer_is_read(header: str | None, respond_async: bool, wait: int | None) -> None:
    assert Preferences.parse(header, 25) == Preferences(respond_async, wait)


def test_what_was_honoured_is_told() -> None:
    both = Preferences.parse("wait=60, respond-async", 25)

    assert both.applied(is_async=True) == {"Preference-Applied": "respond-async, wait=25"}
    assert both.applied(is_async=False) == {"Preference-Applied": "wait=25"}
    assert Preferences.parse("return=minimal", 25).applied(is_async=True) == {}
