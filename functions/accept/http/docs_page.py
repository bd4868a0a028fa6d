"""The page that shows the API's document: Swagger UI as Powertools ships it, with nothing from elsewhere."""

import base64
import hashlib
from functools import lru_cache

# The document is read from beside the page, so that the page holds under every host, stage and base path.
_START = """
SwaggerUIBundle({url: "openapi.json", dom_id: "#swagger-ui", deepLinking: true, docExpansion: "list"});
"""
_PAGE = """<!DOCTYPE html>
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
def docs_page() -> tuple[str, dict[str, str]]:
    """The page and its headers: the policy lets the browser run these two scripts and read from this API, no more."""
    from importlib.resources import files  # with its package's 0.1 s, for this route alone

    assets = files("aws_lambda_powertools.event_handler.openapi.swagger_ui")
    bundle = assets.joinpath("swagger-ui-bundle.min.js").read_text()
    style = assets.joinpath("swagger-ui.min.css").read_text()
    policy = {
        "default-src": "'none'",
        "script-src": f"{_source(bundle)} {_source(_START)}",
        "style-src": "'unsafe-inline'",
        "img-src": "data:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    headers = {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Referrer-Policy": "no-referrer",
    }
    return _PAGE.format(style=style, bundle=bundle, start=_START), headers


def _source(script: str) -> str:
    """A script's hash as a source of the content security policy (CSP level 3, section 2.3.1)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
