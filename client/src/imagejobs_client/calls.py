"""What the parts of the client share."""

from collections.abc import Iterator, Mapping
from typing import Any

import httpx2

from imagejobs_client.connection import Connection
from imagejobs_client.errors import UnexpectedAnswerError
from imagejobs_client.models import Answer, parse
from imagejobs_client.transfers import Transfers
from imagejobs_client.transport import Retries, Transport, Wire
from imagejobs_client.uploads import Uploads

# The longest page of a list.
_PAGE = 100


class Calls:
    """The connections to one service and to its storage."""

    def __init__(self, connection: Connection, retries: Retries | None = None) -> None:
        self.connection = connection
        retries = retries or Retries()
        wire: Wire = {"verify": httpx2.create_ssl_context()}
        self._transport = Transport(connection, retries, wire)
        self._transfers = Transfers(retries, wire)
        self._uploads = Uploads(self._transport, self._transfers)

    def _pages(self, path: str, name: str, query: Mapping[str, Any], limit: int | None = None) -> Iterator[Any]:
        """The entries of a list, page by page."""
        cursor, left = None, limit
        while left is None or left > 0:
            entries, cursor = self._page(path, name, {**query, "limit": min(_PAGE, left or _PAGE), "cursor": cursor})
            yield from entries[:left]
            left = None if left is None else left - len(entries)
            if not cursor:
                return

    def _page(self, path: str, name: str, query: Mapping[str, Any]) -> tuple[list[Any], str | None]:
        """The entries of one page, and the cursor of the next one."""
        answer = self._transport.read("GET", path, query={"limit": _PAGE, **query})
        if not isinstance(answer, dict) or not isinstance(answer.get(name), list):
            raise UnexpectedAnswerError(f"GET {path}: the answer has no list of {name}")
        return answer[name], answer.get("next")


def parsed[T: Answer](kind: type[T], answer: object) -> T:
    """Make a model from an answer. Raises UnexpectedAnswerError when it does not fit."""
    try:
        return parse(kind, answer)
    except ValueError as error:
        raise UnexpectedAnswerError(f"the service answered in another form than expected: {error}") from error
