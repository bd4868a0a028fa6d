"""Writes the parts of docs/ that come from code: openapi.json, the tables of api.md, configuration.md, cost.md.

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
from imagejobs.catalogue import MODELS, Model, Shapes, Sizes
from tools import configuration_page
from tools.cost import page as cost_page

DOCS = Path(__file__).parent.parent / "docs"
_SERVER_URL = "https://your-api.example/v1"
_ROUTE_COLUMNS = "| method | path | what it does | body | answers |\n|---|---|---|---|---|"
_MODEL_COLUMNS = (
    "| model | `quality` | `size` | `output_format` | `background` | mask | references | needs |\n" + 8 * "|---" + "|"
)


def pages(folder: Path) -> dict[Path, str]:
    """The text that each of the pages in a folder should have."""
    api_page = folder / "api.md"
    return {
        folder / "openapi.json": _openapi(),
        api_page: _with_tables(api_page.read_text()),
        folder / "configuration.md": configuration_page.text(),
        folder / "cost.md": cost_page.text(),
    }


def _openapi() -> str:
    """What a stack with API keys answers to `GET /openapi.json`."""
    document = full_document(ROUTES, _SERVER_URL, access=AccessControl.API_KEY)
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _with_tables(page: str) -> str:
    tables = {"routes": [_ROUTE_COLUMNS, *map(_row, ROUTES)], "models": [_MODEL_COLUMNS, *map(_model_row, MODELS)]}
    for name, lines in tables.items():
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        table = "\n".join([begin, *lines, end])
        # In what replaces a pattern a backslash is doubled.
        page, found = re.subn(f"{begin}.*{end}", table.replace("\\", r"\\"), page, flags=re.DOTALL)
        if found != 1:
            raise ValueError(f"docs/api.md needs the lines {begin} and {end}, once")
    return page


def _model_row(model: Model) -> str:
    listed = (model.qualities, model.output_formats, model.backgrounds)
    quality, formats, backgrounds = (", ".join(one) or "none" for one in listed)
    mask, references = "yes" if model.mask else "no", str(model.max_references or "none")
    needs = ", ".join(model.needs) or "nothing"
    cells = f"`{model.name}`", quality, _sizes(model.sizes), formats, backgrounds, mask, references, needs
    return f"| {' | '.join(cells)} |"


def _sizes(sizes: Sizes | Shapes | None) -> str:
    match sizes:
        case None:
            return "none"
        case Shapes():
            return f"{len(sizes.names)} shapes, up to {sizes.max_pixels:,} pixels"
        case Sizes(multiple_of=1):
            return "any"
        case Sizes():
            return f"multiples of {sizes.multiple_of} up to {sizes.max_edge:,}"


def _row(route: Route[Any]) -> str:
    codes = [*route.answers, *problem_codes(route, access=AccessControl.API_KEY)]
    body = " or ".join(f"`{_fields(body)}`" for body in route.bodies)
    cells = route.method, f"`{route.path}`", route.summary, body, ", ".join(map(str, codes))
    return f"| {' | '.join(cells)} |"


def _fields(body: type[BaseModel]) -> str:
    """The fields of a body as docs/api.md writes them: `{prompt, filename?}`."""
    names = [name if field.is_required() else f"{name}?" for name, field in body.model_fields.items()]
    return f"{{{', '.join(names)}}}"


def write(folder: Path = DOCS) -> None:
    """Write the pages."""
    for path, text in pages(folder).items():
        path.write_text(text)


def check(folder: Path = DOCS) -> None:
    """End with 1 when a page is stale."""
    if stale := [path.name for path, text in pages(folder).items() if path.read_text() != text]:
        sys.exit(f"stale: {', '.join(stale)}. Run `make docs`")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["write"]:
            write()
        case ["check"]:
            check()
        case _:
            sys.exit(f"expected write or check, got {sys.argv[1:]}")
