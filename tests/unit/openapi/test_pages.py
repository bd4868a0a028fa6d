import json
import re
from base64 import b64encode
from hashlib import sha256

import pytest

from functions.accept.http.pages import Page, console_page, docs_page

STORAGE = ("https://images.s3.eu-central-1.amazonaws.com", "https://s3.eu-de.example")
PAGES = [pytest.param(docs_page(), id="docs"), pytest.param(console_page(STORAGE), id="console")]


def policy(page: Page) -> dict[str, list[str]]:
    """The content security policy: the sources of each directive."""
    directives = (directive.split() for directive in page[1]["Content-Security-Policy"].split(";"))
    return {name: sources for name, *sources in directives}


def digests(page: Page, tag: str) -> set[str]:
    """The hashes of a page's scripts or styles, as sources of a policy."""
    found = re.findall(rf"<{tag}>(.*?)</{tag}>", page[0], re.DOTALL)
    return {f"'sha256-{b64encode(sha256(one.encode()).digest()).decode()}'" for one in found}


def test_the_docs_read_the_document_beside_them() -> None:
    assert 'url: "openapi.json"' in docs_page()[0]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_loads_nothing_from_elsewhere(page: Page) -> None:
    assert not re.search(r"<(script|link|img|iframe)[^>]*(src|href)=[\"']https?:", page[0])
    assert policy(page)["default-src"] == ["'none'"]


@pytest.mark.parametrize("page", PAGES)
def test_a_policy_allows_exactly_the_scripts_of_its_page(page: Page) -> None:
    assert set(policy(page)["script-src"]) == digests(page, "script") != set()


def test_the_console_reaches_the_api_and_the_storage_alone() -> None:
    page = console_page(STORAGE)

    assert policy(page)["connect-src"] == ["'self'", *STORAGE]
    assert policy(page)["img-src"] == ["data:", "blob:", *STORAGE]
    assert set(policy(page)["style-src"]) == digests(page, "style") != set()


@pytest.mark.parametrize("page", PAGES)
def test_a_page_fits_in_an_answer_of_lambda(page: Page) -> None:
    assert len(json.dumps(page[0])) < 6_000_000
