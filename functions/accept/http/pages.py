"""The pages that a browser is given, each as one document: it needs nothing from elsewhere, and nobody builds it."""

import base64
import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

type Page = tuple[str, dict[str, str]]

_CONSOLE = Path(__file__).parent / "console"
_CONSOLE_STYLES = ("style.css", "jobs.css")
# In the order in which they need each other.
_CONSOLE_SCRIPTS = ("api.js", "dom.js", "zip.js", "job.js", "composer.js", "main.js")
# The document is read from beside the page, so that the page holds under every host, stage and base path.
_START = """
SwaggerUIBundle({url: "openapi.json", dom_id: "#swagger-ui", deepLinking: true, docExpansion: "list"});
"""
_DOCS = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Image jobs API</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
<div id="swagger-ui"></div>
<noscript>This page needs JavaScript; the document itself is <a href="openapi.json">openapi.json</a>.</noscript>
<script>{bundle}</script>
<script>{start}</script>
</body>
</html>
"""


@lru_cache
def docs_page() -> Page:
    """The page of the API's document, and its headers: Swagger UI as Powertools ships it, reading this API alone."""
    from importlib.resources import files  # with its package's 0.1 s, for this route alone

    assets = files("aws_lambda_powertools.event_handler.openapi.swagger_ui")
    bundle = assets.joinpath("swagger-ui-bundle.min.js").read_text()
    style = assets.joinpath("swagger-ui.min.css").read_text()
    page = _DOCS.format(style=style, bundle=bundle, start=_START)
    # Swagger UI sets styles of its own in its markup.
    return page, _headers([bundle, _START], styles="'unsafe-inline'", images="data:", connections="'self'")


@lru_cache
def console_page(storage: tuple[str, ...]) -> Page:
    """The page for people, and its headers: beside this API it may talk to these origins, where the pictures lie."""
    scripts = [(_CONSOLE / name).read_text() for name in _CONSOLE_SCRIPTS]
    style = "".join((_CONSOLE / name).read_text() for name in _CONSOLE_STYLES)
    page = (_CONSOLE / "index.html").read_text()
    page = page.replace("<!-- style -->", f"<style>{style}</style>")
    page = page.replace("<!-- scripts -->", "\n".join(f"<script>{script}</script>" for script in scripts))
    sources = " ".join(storage)
    return page, _headers(
        scripts, styles=_source(style), images=f"data: blob: {sources}", connections=f"'self' {sources}"
    )


def _headers(scripts: Sequence[str], styles: str, images: str, connections: str) -> dict[str, str]:
    """A page's headers: the policy lets the browser run these scripts, and reach what is named here, no more."""
    policy = {
        "default-src": "'none'",
        "script-src": " ".join(map(_source, scripts)),
        "style-src": styles,
        "img-src": images,
        "connect-src": connections,
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Referrer-Policy": "no-referrer",
    }


def _source(inline: str) -> str:
    """A script's or style's hash as a source of the content security policy (CSP level 3, section 2.3.1)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()}'"
