"""What may be logged of URLs and errors."""

import pytest
from botocore.exceptions import ClientError

from imagejobs.errors import PermanentError, StorageRejectedError
from imagejobs.observability import loggable_error, loggable_failure, loggable_stack, loggable_url


@pytest.mark.parametrize(
    ("url", "logged"),
    [
        ("https://hooks.example.com/T000/B000/s3cret?token=s3cret#s3cret", "https://hooks.example.com"),
        ("https://s3cret:s3cret@hooks.example.com:8443/s3cret", "https://hooks.example.com:8443"),
        ("http://[2001:db8::1]:80/s3cret", "http://[2001:db8::1]:80"),
        ("https://hooks.example.com:s3cret/", "(no valid URL)"),
    ],
)
def test_of_a_url_scheme_host_and_port_are_logged(url: str, logged: str) -> None:
    assert loggable_url(url) == logged


def failed(error: Exception, cause: Exception | None = None) -> Exception:
    """An error as it is caught."""
    try:
        raise error from cause
    except type(error) as caught:
        return caught


def test_of_an_error_class_and_code_are_logged_down_to_its_cause() -> None:
    cause = ClientError({"Error": {"Code": "NoSuchKey", "Message": "anna.png"}}, "GetObject")
    error = failed(StorageRejectedError("anna.png"), cause)

    assert loggable_error(error) == "StorageRejectedError, ClientError NoSuchKey"
    assert "anna.png" not in "".join(loggable_stack(error))
    assert "test_observability" in "".join(loggable_stack(error))


@pytest.mark.parametrize("code", ["anna smiles", "a" * 65, 7, None, "", ["anna"]])
def test_what_does_not_look_like_a_code_is_not_logged(code: object) -> None:
    error = PermanentError("anna")
    error.code = code  # type: ignore[attr-defined]

    assert loggable_error(error) == "PermanentError"


@pytest.mark.parametrize(
    ("text", "logged"),
    [
        ("BadRequestError: Your request was rejected: Anna", "BadRequestError"),
        ("States.Timeout: the job took longer", "States.Timeout"),
        ("aborted: the job's execution was stopped", "aborted"),
        ("Anna smiles: as asked", "(an error)"),
        ("", "(an error)"),
    ],
)
def test_of_a_failures_text_the_class_is_logged(text: str, logged: str) -> None:
    assert loggable_failure(text) == logged
