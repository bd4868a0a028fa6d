"""Writes what docs/ says of the API's routes, from the route table: docs/openapi.json and the table in docs/api.md.

python -m tools.document write     # `make docs` does this
python -m tools.document check     # ends with 1 when one of them is stale
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from functions.accept.http.openapi import full_document, problem_codes
from functions.accept.http.route import Route
from functions.accept.http.routes import ROUTES
from functions.accept.settings import AccessControl

DOCS = Path(__file__).parent.parent / "docs"
OPENAPI, PAGE = DOCS / "openapi.json", DOCS / "api.md"
_SERVER_URL = "https://your-api.example/v1"
_BEGIN, _END = "<!-- routes: begin -->", "<!-- routes: end -->"
_COLUMNS = "| method | path | what it does | body | answers |\n|---|---|---|---|---|"


def openapi() -> str:
    """The text of docs/openapi.json: what a stack with API keys answers to `GET /openapi.json`."""
    return (
        json.dumps(full_document(ROUTES, _SERVER_URL, access=AccessControl.API_KEY), indent=2, ensure_ascii=False)
        + "\n"
    )


def page() -> str:
    """The text of docs/api.md with the route table as it is."""
    table = "\n".join([_BEGIN, _COLUMNS, *map(_row, ROUTES), _END])
    text, found = re.subn(f"{_BEGIN}.*{_END}", lambda _: table, PAGE.read_text(), flags=re.DOTALL)
    if found != 1:
        raise ValueError(f"{PAGE} needs the lines {_BEGIN} and {_END}, once")
    return text


def _row(route: Route[Any]) -> str:
    codes = [*route.answers, *problem_codes(route, access=AccessControl.API_KEY)]
    body = f"`{_fields(route.body)}`" if route.body else ""
    cells = route.method, f"`{route.path}`", route.summary, body, ", ".join(map(str, codes))
    return f"| {' | '.join(cells)} |"


def _fields(body: type[BaseModel]) -> str:
    """The fields of a body as docs/api.md writes them: `{prompt, filename?}`."""
    names = [name if field.is_required() else f"{name}?" for name, field in body.model_fields.items()]
    return f"{{{', '.join(names)}}}"


def main(mode: str) -> None:
    """Write both, or end with 1 when one of them is stale."""
    for path, text in ((OPENAPI, openapi()), (PAGE, page())):
        if mode == "write":
            path.write_text(text)
        elif path.read_text() != text:
            sys.exit(f"{path} is stale: run `make docs`")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["write" | "check" as chosen]:
            main(chosen)
        case _:
            sys.exit(f"expected write or check, got {sys.argv[1:]}")
