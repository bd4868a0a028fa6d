import json
import re
from base64 import b64encode
from hashlib import sha256

from functions.accept.http.docs_page import docs_page


def test_page_reads_the_document_beside_it() -> None:
    page, _ = docs_page()

    assert 'url: "openapi.json"' in page


def test_page_loads_nothing_from_elsewhere() -> None:
    page, headers = docs_page()

    assert not re.search(r"<(script|link|img|iframe)[^>]*(src|href)=[\"']https?:", page)
    assert "default-src 'none'" in headers["Content-Security-Policy"]


def test_policy_allows_exactly_the_scripts_of_the_page() -> None:
    page, headers = docs_page()

    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    hashes = {f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" for script in scripts}
    (allowed,) = re.findall(r"script-src ([^;]*)", headers["Content-Security-Policy"])
    assert len(scripts) == 2
    assert set(allowed.split()) == hashes


def test_page_fits_in_an_answer_of_lambda() -> None:
    page, _ = docs_page()

    assert len(json.dumps(page)) < 6_000_000
