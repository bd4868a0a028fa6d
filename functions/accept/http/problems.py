"""Why a request is refused: one exception for each answer of docs/api.md that is not a success."""

from http import HTTPStatus
from typing import ClassVar

from pydantic import ValidationError

from functions.accept.http.answers import InvalidField
from functions.accept.http.upload_bodies import UNION_TAGS

# What pydantic would tell callers in terms of Python, with a class's name in it; by the type of its error.
_MESSAGES = dict.fromkeys(("model_type", "model_attributes_type", "dict_type"), "expected a JSON object")


class ProblemError(Exception):
    """A refusal with a `detail` that tells the caller what was wrong and what to do."""

    status: ClassVar[HTTPStatus]

    def __init__(self, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.headers = headers or {}


class UnauthorizedError(ProblemError):
    """The workshop token is missing or wrong."""

    status = HTTPStatus.UNAUTHORIZED


class ForbiddenError(ProblemError):
    """The caller may not do this."""

    status = HTTPStatus.FORBIDDEN


class NotFoundError(ProblemError):
    """There is no such job or route."""

    status = HTTPStatus.NOT_FOUND


class MethodNotAllowedError(ProblemError):
    """The route exists, but not with this method."""

    status = HTTPStatus.METHOD_NOT_ALLOWED


class ConflictError(ProblemError):
    """The request contradicts an earlier one, or comes too late."""

    status = HTTPStatus.CONFLICT


class PayloadTooLargeError(ProblemError):
    """The image is over the limit of what can be posted."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class TooManyRequestsError(ProblemError):
    """The owner's limits do not allow this now; the header Retry-After says when to try again."""

    status = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, detail: str, retry_after: int) -> None:
        super().__init__(detail, {"Retry-After": str(retry_after)})


class NotConfiguredError(ProblemError):
    """Settings or secrets are missing."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR


class UnavailableError(ProblemError):
    """A service behind this one throttles or fails for the moment."""

    status = HTTPStatus.SERVICE_UNAVAILABLE


class InvalidRequestError(Exception):
    """Parts of a body, header or path are invalid: every one of them, in the form of the 422 answer."""

    def __init__(self, *fields: InvalidField) -> None:
        super().__init__("; ".join(field.msg for field in fields))
        self.fields = fields

    @classmethod
    def at(cls, *loc: str | int, msg: str, kind: str = "value_error") -> "InvalidRequestError":
        """One invalid part."""
        return cls(InvalidField(loc=list(loc), msg=msg, type=kind))

    @classmethod
    def of(cls, error: ValidationError) -> "InvalidRequestError":
        """Everything that pydantic found in a request."""
        found = error.errors(include_url=False, include_context=False, include_input=False)
        return cls(
            *(
                # Pydantic puts a prefix before the message of a validator.
                InvalidField(
                    loc=[part for part in one["loc"] if part not in UNION_TAGS],
                    msg=_MESSAGES.get(one["type"], one["msg"].removeprefix("Value error, ")),
                    type=one["type"],
                )
                for one in found
            )
        )
