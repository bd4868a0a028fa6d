"""The API's own document."""

import json
from functools import lru_cache


@lru_cache
def openapi_json(server_url: str, *, api_keys: bool) -> str:
    """The OpenAPI document of the whole API, for the URL by which it was called."""
    from imagejobs.openapi import full_document  # 30 models' schemas, which no other route needs

    return json.dumps(full_document(server_url, api_key=api_keys))
